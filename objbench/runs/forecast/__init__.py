"""What a study takes, said before it is begun: FLOPs, memory, disk, time, price."""
