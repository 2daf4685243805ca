"""What every training shares: the loop, its state on the disk, several processes, the board."""
