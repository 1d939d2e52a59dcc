package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// Errors of a client that has not even asked.
var (
	// ErrDenied means that this user may not look there.
	ErrDenied = errors.New("permission denied: sudo?")
	// ErrNotTrusted means that another user's process listens where it should not.
	ErrNotTrusted = errors.New("is not trusted")
)

// dial connects to the socket at path and looks who listens there, before anything
// is sent: a message, or the order to stop, is not for everybody who can put a
// socket somewhere.
func dial(ctx context.Context, path string) (*net.UnixConn, credentials, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, credentials{}, err
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, credentials{}, errors.Join(errors.New("not a unix socket"), conn.Close())
	}
	who, err := credentialsOf(unix)
	if err == nil {
		err = trust(path, who.uid)
	}
	if err != nil {
		_ = conn.Close() // nothing was sent
		return nil, credentials{}, err
	}
	return unix, who, nil
}

// trust says why nothing may be said to a process of user uid that listens at path:
// it has to be this user's own, or root's. Root may ask others' servers, too, where
// nobody else can have put one: in a directory that only they, or root, can write to.
func trust(path string, uid int) error {
	own := os.Geteuid()
	if uid == own {
		return nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return reason(err)
	}
	dir := filepath.Dir(real)
	info, err := os.Stat(dir)
	if err != nil {
		return reason(err)
	}
	owner := ownerOf(info)
	switch {
	case othersMayWrite(info):
		return fmt.Errorf("user %d listens there, who %w: others may write to %s", uid, ErrNotTrusted, dir)
	case uid == 0:
		return nil // could do anything without this
	case own == 0 && (owner == 0 || owner == uid):
		return nil
	}
	return fmt.Errorf("user %d listens there, who %w", uid, ErrNotTrusted)
}
