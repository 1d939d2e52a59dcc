package main

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// places are the addresses that clients come from, with a transport each.
const places = 250

var transports = sync.OnceValue(func() (all [places]*http.Client) {
	for i := range all {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i))}}
		all[i] = &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
	}
	return all
})

// connect is client i's connection in envelope mode; status is that of the server's answer, 0 if there was none.
func connect(ctx context.Context, address, token string, i int) (c *websocket.Conn, status int, err error) {
	o := &websocket.DialOptions{
		HTTPClient: transports()[i%places], Subprotocols: []string{"groupcast.v1"},
		HTTPHeader: http.Header{"Authorization": {"Bearer " + token}},
	}
	c, answer, err := websocket.Dial(ctx, "ws://"+address+"/", o) //nolint:bodyclose // the library closes it
	if answer != nil {
		status = answer.StatusCode
	}
	return c, status, err
}

// arrival is how one client came in.
type arrival struct {
	conn    *websocket.Conn // nil: it did not
	after   time.Duration   // since all began
	refused map[int]int     // answers by status; 0 for a connection without one
	waited  time.Duration   // for the longest of these
}

// retryAfter is how long a client waits that was refused.
const retryAfter = 500 * time.Millisecond

// arrive has n clients come, so many at a time; each tries for so long.
func arrive(
	ctx context.Context, address string, n, atOnce int, patience time.Duration, token func(i int) string,
) []arrival {
	all := make([]arrival, n)
	began := time.Now()
	places := make(chan struct{}, atOnce)
	var coming sync.WaitGroup
	for i := range all {
		places <- struct{}{}
		coming.Go(func() {
			a := &all[i]
			once := func() bool {
				defer func() { <-places }()
				asked := time.Now()
				c, status, err := connect(ctx, address, token(i), i)
				if err == nil {
					a.conn, a.after = c, time.Since(began)
					return true
				}
				if a.refused == nil {
					a.refused = make(map[int]int)
				}
				a.refused[status]++
				a.waited = max(a.waited, time.Since(asked))
				return false
			}
			for first := time.Now(); !once() && time.Since(first)+retryAfter < patience && ctx.Err() == nil; {
				time.Sleep(retryAfter)
				places <- struct{}{}
			}
		})
	}
	coming.Wait()
	return all
}

// leave ends all connections at once.
func leave(all []arrival) {
	for _, a := range all {
		if a.conn != nil {
			_ = a.conn.CloseNow()
		}
	}
}
