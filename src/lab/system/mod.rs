//! What the lab needs of the operating system: programs that end with it, and what they and it may use.
//!
//! Contract: both files below have the same functions. What one of them cannot know is `None`, and is shown as
//! not measured, never as zero. The counters of Linux are in [`kernel`](super::kernel), which needs no system call.
//!
//! By the hidden command `lab guard LAB PROGRAM ARGUMENTS` a program ends when the lab ends, whose process id is
//! LAB: also when the lab is killed and can end nothing itself.
//!
//! | | `unix` | `windows` |
//! |---|---|---|
//! | [`Group`]: a program with its children | a process group, ended by signals | a process, ended by the end of its standard input |
//! | [`guard`]: a program that ends with the lab | becomes the program, to which Linux tells the lab's death | stays beside the program, and ends it when the lab has let go of a pipe |
//! | [`is_root`], [`page_bytes`], [`open_files`], [`thread_cpu`] | asked | not known |
//! | [`PYTHON`] | `python3` | `python` |
//! | [`private_folder`] | permission bits | a user's temporary folder is that user's already |

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::{
    Group, PYTHON, guard, is_root, open_files, page_bytes, private_folder, release, thread_cpu,
};
#[cfg(windows)]
pub(super) use windows::{
    Group, PYTHON, guard, is_root, open_files, page_bytes, private_folder, release, thread_cpu,
};

/// True where `/proc` tells of processes, and a missing program can be had by the name of a Debian package.
pub(super) const IS_LINUX: bool = cfg!(target_os = "linux");
