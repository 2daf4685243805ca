"""What all windows share: theme, words, banner."""
