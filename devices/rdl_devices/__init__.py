"""Micro-Manager devices written in Python: `rdl_devices.sim`, a simulated SIM microscope.

A .cfg names them in lines that plain Micro-Manager takes for comments (see configs/demo.cfg). Nothing is
imported here, so that the package costs nothing until a device is loaded.
"""
