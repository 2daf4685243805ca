"""The camera's thread computes alone, whatever the rest of the program does."""

import threading

import torch


def compute_alone() -> None:
    """Let torch use one CPU thread in the calling thread, and as many as before in all others.

    Frames are small: more threads gain nothing, and where the reconstruction has taken the cores, waiting for
    them at each operation costs ten times the work. torch keeps two numbers, one per thread and one for
    threads to come; setting one sets both, so the second is set back from a thread that ends at once.
    """
    before = torch.get_num_threads()
    if before == 1:
        return
    torch.set_num_threads(1)
    helper = threading.Thread(target=torch.set_num_threads, args=(before,), name="sim-restore-threads")
    helper.start()
    helper.join()
