"""Training from noisy z-stack time-lapses alone (TiS-rDL and SiS-rDL)."""
