// Package artifact packs what a commit stage built into an OCI image, moves it to and from the
// registry, and unpacks it for the copies that run it.
//
// An artifact is one layer, a configuration and a manifest, so every OCI client can pull it. The
// same files always give the same digest: names are sorted, times and owners are zero, and modes
// are reduced to whether a file can be executed.
package artifact
