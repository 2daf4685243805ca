"""Recordings become super-resolved images, reports and pictures, offline."""
