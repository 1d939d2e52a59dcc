package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The HTTP API, by strangers who have no token.
var onAPI = []attack{
	{
		name: "api-idle",
		does: "1,500 connections from 12 addresses that ask for /healthz once and then stay",
		run:  idleAtAPI, proof: []string{closedByPeer},
	},
	{
		name: "api-slow",
		does: "300 requests that come a byte at a time: heads, and bodies of 1 MiB",
		run:  slowAtAPI, proof: []string{closedByPeer, "answered 401"},
	},
	{
		name: "api-log",
		does: "200 requests a second with paths of 12 KB, wrong tokens, foreign hosts and origins, to fill the log",
		run:  fillLog, proof: []string{"answered 401", "groupcast_api_auth_failures_total"},
	},
}

func idleAtAPI(ctx context.Context, a *assault) {
	crowd(ctx, 1500, 600, 100, func(i int) {
		l := a.dial(ctx, source(i, 12), a.target.API)
		if l == nil {
			return
		}
		defer l.hangUp()
		fmt.Fprint(l, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		l.listen()
	})
}

func slowAtAPI(ctx context.Context, a *assault) {
	heads := []string{
		"GET /v1/sessions HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"POST /v1/groups/g/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n",
		"GET /",
	}
	crowd(ctx, 300, 100, 60, func(i int) {
		l := a.dial(ctx, source(i, 12), a.target.API)
		if l == nil {
			return
		}
		defer l.hangUp()
		fmt.Fprint(l, heads[i%len(heads)])
		l.drip(500*time.Millisecond, func() []byte { return []byte("x") })
	})
}

// hostilePath would be a screen's worth of lines and escapes in a log that believed it.
var hostilePath = "/v1/groups/" + strings.Repeat("%0a%1b%5b2Jlevel=ERROR%20msg=fire%22", 350)

func fillLog(ctx context.Context, a *assault) {
	heads := []string{
		"GET " + hostilePath + " HTTP/1.1\r\nHost: localhost\r\n",
		"GET /v1/sessions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + strings.Repeat("A", 4000) + "\r\n",
		"POST /v1/publish HTTP/1.1\r\nHost: localhost\r\nOrigin: http://" + strings.Repeat("a", 4000) +
			"\r\nContent-Length: 0\r\n",
		"DELETE " + hostilePath + " HTTP/1.1\r\nHost: rebinding.example\r\n",
		"BREW /v1 HTTP/1.1\r\nHost: localhost\r\nAccept: " + strings.Repeat("\t", 4000) + "\r\n",
	}
	const workers = 8
	crowd(ctx, workers, workers, 10, func(i int) { a.requests(ctx, source(i, workers), heads, 20) })
}

// requests sends n of them on one connection, and counts how each is answered.
func (a *assault) requests(ctx context.Context, from string, heads []string, n int) {
	l := a.dial(ctx, from, a.target.API)
	if l == nil {
		return
	}
	defer l.hangUp()
	in := bufio.NewReader(l)
	for i := range n {
		fmt.Fprint(l, heads[i%len(heads)]+"\r\n")
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			if ctx.Err() == nil {
				a.count(closedByPeer)
			}
			return
		}
		_, err = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		a.count(fmt.Sprintf("answered %d", answer.StatusCode))
		if err != nil || answer.Close || !wait(ctx, 40*time.Millisecond) {
			return
		}
	}
}
