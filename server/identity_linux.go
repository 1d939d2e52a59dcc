package server

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// giveSocket makes a socket's file id's. Through a descriptor: in a directory of
// others, a path may lead to something else from one moment to the next.
func giveSocket(path string, id *identity) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), path)
	defer func() { _ = file.Close() }()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFSOCK || int(stat.Uid) != os.Geteuid() {
		return errors.New("it is not the socket any more")
	}
	return unix.Fchownat(fd, "", id.uid, id.gid, unix.AT_EMPTY_PATH)
}
