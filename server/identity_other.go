//go:build !linux

package server

import "os"

// giveSocket makes a socket's file id's.
func giveSocket(path string, id *identity) error { return os.Lchown(path, id.uid, id.gid) }
