"""What browsing a recording needs: it is opened, and its images are read or computed."""
