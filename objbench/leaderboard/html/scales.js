// Scales from values to places, with ticks at round numbers.

function linearScale(low, high, from, to) {
  const step = roundStep((high - low) / 5);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) {
    ticks.push(Number(tick.toPrecision(12)));
  }
  return { place: (value) => from + ((to - from) * (value - low)) / (high - low), ticks, low, high };
}

function logScale(low, high, from, to) {
  const size = Math.log(high) - Math.log(low);
  const place = (value) => from + ((to - from) * (Math.log(value) - Math.log(low))) / size;
  let ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const step of [1, 2, 5]) ticks.push(Number(`${step}e${power}`));
  }
  ticks = ticks.filter((tick) => low <= tick && tick <= high);
  // Within less than a decade, 1, 2 and 5 may be too few or none.
  if (ticks.length < 3) ticks = linearScale(low, high, from, to).ticks;
  if (ticks.length > 9) ticks = ticks.filter((tick) => /^1(e|0*$)|^0\.0*1$/.test(String(tick)));
  return { place, ticks, low, high };
}

// 1, 2 or 5 times a power of ten.
function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  const part = size / power;
  return (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10) * power;
}

// A number to four digits, without an exponent where it is not needed.
function short(value) {
  return String(Number(value.toPrecision(4)));
}

// Places near those wanted, in their order, at least a gap apart and at most `limit`.
function spreadOut(wanted, gap, limit) {
  const order = wanted.map((_, place) => place).sort((a, b) => wanted[a] - wanted[b]);
  const placed = [...wanted];
  let least = -Infinity;
  for (const place of order) least = (placed[place] = Math.max(placed[place], least)) + gap;
  let most = limit;
  for (const place of order.reverse()) most = (placed[place] = Math.min(placed[place], most)) - gap;
  return placed;
}
