//go:build !linux

package control

import (
	"context"
	"net"
	"os"
)

// peerOf knows only whose the socket's file is.
func peerOf(conn *net.UnixConn) (*Peer, error) {
	info, err := os.Lstat(conn.RemoteAddr().String())
	if err != nil {
		return nil, reason(err)
	}
	return &Peer{UID: ownerOf(info)}, nil
}

func (p *Peer) waitProcess(context.Context) error { return nil }
