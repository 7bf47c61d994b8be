// Package vcs fetches, reads and checks out repositories with the git program.
//
// git runs with an argument vector, never a shell string; without a prompt, hooks, or the
// configuration of the system and the user; in a process group of its own that ends with its
// context; and with a limit on what is kept of its output. It needs git 2.31 or newer.
//
// A checkout has the files of one commit and a .git that borrows the objects of the bare
// repository: it has no branches, tags or remotes. Submodules are left as empty directories,
// and files in Git LFS as their pointers: a step that needs either fetches it by itself.
package vcs
