//go:build !linux

package control

import (
	"context"
	"net"
	"os"
)

// credentialsOf knows only whose the socket's file is.
func credentialsOf(conn *net.UnixConn) (credentials, error) {
	info, err := os.Lstat(conn.RemoteAddr().String())
	if err != nil {
		return credentials{}, reason(err)
	}
	return credentials{uid: ownerOf(info)}, nil
}

func peerOf(who credentials) *Peer { return &Peer{UID: who.uid} }

func (p *Peer) waitProcess(context.Context) error { return nil }

// RunsAs is whose the socket's file is: --user gives that away, too.
func (p *Peer) RunsAs() int { return p.UID }
