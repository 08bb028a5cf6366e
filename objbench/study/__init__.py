"""What a user can choose: settings, budget, tuning grid and presets."""
