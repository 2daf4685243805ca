"""3D-SIM: z stacks under three beams, whose five bands are put together in three dimensions.

After Gustafsson et al. 2008, 10.1529/biophysj.107.120345. Orders 0 and 2 are seen through the widefield's OTF, order 1
through two copies of it that the light's axial wave moves up and down in kz: together they fill the missing cone.
"""

from rdl_live.optics.stack.beams import axial_frequency as axial_frequency
from rdl_live.optics.stack.volume import StackImage as StackImage
from rdl_live.optics.stack.volume import reconstruct_stack as reconstruct_stack
