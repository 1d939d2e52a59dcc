package workerman

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"

	"groupcast/server/door"
)

// dial connects to the Channel server that is joined.
func (c *Client) dial(at door.Address) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(c.stop, c.opt.DialTimeout)
	defer cancel()
	dialer := net.Dialer{KeepAliveConfig: keepAlive, Control: userTimeout(c.opt.WriteTimeout)}
	socket, err := dialer.DialContext(ctx, at.Network(), at.Text())
	if err != nil || !at.IsTLS() {
		return socket, err
	}
	var roots *x509.CertPool // nil: the system's
	if c.opt.RootsFile != "" {
		if roots, err = door.ReadAuthorities(c.opt.RootsFile); err != nil { // each time: the file may have changed
			_ = socket.Close()
			return nil, err
		}
	}
	host, _, _ := net.SplitHostPort(at.Text())
	secured := tls.Client(socket, &tls.Config{ServerName: host, RootCAs: roots})
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = socket.Close()
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secured, nil
}
