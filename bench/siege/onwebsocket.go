package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/gobwas/ws"
)

// The WebSocket listeners, plain and with TLS.
var onWebSocket = []attack{
	{
		name: "ws-slow-readers",
		does: "40 members of a group of 60 KB messages, ten a second, that do not read",
		run:  slowReaders, proof: []string{closedByPeer, "groupcast_session_ends_total{slow_reader}"},
	},
	{
		name: "ws-half",
		does: "500 sessions that have sent half a message, and every other one a ping every second",
		run:  halfMessages, proof: []string{upgraded},
	},
	{
		name: "ws-heads",
		does: "1,000 upgrades whose head comes a byte a second",
		run:  slowHeads, proof: []string{"answered 408"},
	},
	{
		name: "ws-storm",
		does: "200 sessions a second that connect, join a group of their own and are gone",
		run:  storm, proof: []string{upgraded},
	},
	{
		name: "ws-commands",
		does: "4,000 commands a second on four sessions: joins, leaves, sends, pings, nonsense",
		run:  floodCommands, proof: []string{"answers", "groupcast_command_errors_total"},
	},
	{
		name: "ws-wrong",
		does: "100 sessions a second whose frames are wrong or too large, or whose fragments do not end",
		run:  wrongMessages, proof: []string{"closed with 1002", "closed with 1008", "closed with 1009"},
	},
}

// upgraded is what attacks count of sessions.
const upgraded = "sessions"

// session upgrades the connection, over TLS if that is a TLS listener; false if it was refused.
func (l *line) session(secured bool) bool {
	if secured {
		l.Conn = tls.Client(l.Conn, hostileTLS)
	}
	_ = l.SetDeadline(time.Now().Add(patience))
	defer func() { _ = l.SetDeadline(time.Time{}) }()
	early, _, err := ws.Dialer{}.Upgrade(l.Conn, &url.URL{Scheme: "ws", Host: "localhost", Path: "/"})
	if early != nil {
		ws.PutReader(early) // nothing was asked for yet
	}
	if l.ctx.Err() != nil {
		return false
	}
	if err != nil {
		l.all.count("not upgraded")
		return false
	}
	l.all.count(upgraded)
	return true
}

// hostileTLS trusts everybody: an attacker does not mind.
var hostileTLS = &tls.Config{InsecureSkipVerify: true}

// door is one of the listeners: every other one that of TLS, where there is one.
func (a *assault) door(i int) (addr string, secured bool) {
	if i%2 == 1 && a.target.TLS != "" {
		return a.target.TLS, true
	}
	return a.target.Plain, false
}

// enter has attacker i open a session at one of the doors, from one of so many addresses; nil if that fails.
func (a *assault) enter(
	ctx context.Context, dial func(ctx context.Context, from, to string) *line, i, sources int,
) *line {
	addr, secured := a.door(i)
	l := dial(ctx, source(i, sources), addr)
	if l != nil && !l.session(secured) {
		l.hangUp()
		return nil
	}
	return l
}

// textFrame is a client's frame.
func textFrame(text string) []byte {
	return ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(text))))
}

func join(group string) []byte {
	return textFrame(fmt.Sprintf(`{"cmd":"add_group","group_id":%q}`, group))
}

func slowReaders(ctx context.Context, a *assault) {
	go crowd(ctx, 1, 1, 1, func(int) {
		l := a.dial(ctx, source(0, 1), a.target.Plain)
		if l == nil {
			return
		}
		defer l.hangUp()
		if !l.session(false) {
			return
		}
		frame := textFrame(fmt.Sprintf(`{"cmd":"send_to_group","group_id":"slow","message":"%s"}`,
			strings.Repeat("x", 60000)))
		for wait(ctx, 100*time.Millisecond) {
			if _, err := l.Write(frame); err != nil {
				return
			}
			a.count("large messages sent")
		}
	})
	crowd(ctx, 40, 40, 10, func(i int) {
		l := a.enter(ctx, a.dialDeaf, i, 8)
		if l == nil {
			return
		}
		defer l.hangUp()
		_, _ = l.Write(join("slow"))
		// It says something every so often, by which it learns that it was reset.
		for wait(ctx, time.Second) {
			if _, err := l.Write(textFrame(`{"cmd":"ping"}`)); err != nil {
				if ctx.Err() == nil {
					a.count(closedByPeer)
				}
				return
			}
		}
	})
}

func halfMessages(ctx context.Context, a *assault) {
	var half bytes.Buffer
	_ = ws.WriteHeader(&half, ws.Header{
		Fin: true, OpCode: ws.OpText, Masked: true, Mask: [4]byte{1, 2, 3, 4},
		Length: 60000,
	})
	half.Write(make([]byte, 30000))
	crowd(ctx, 500, 100, 20, func(i int) {
		l := a.enter(ctx, a.dial, i, 8)
		if l == nil {
			return
		}
		defer l.hangUp()
		if i%4 < 2 { // between two fragments of which the second never comes
			first := ws.NewFrame(ws.OpText, false, make([]byte, 30000))
			_, _ = l.Write(ws.MustCompileFrame(ws.MaskFrameInPlace(first)))
			ping := ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewPingFrame(nil)))
			l.drip(time.Second, func() []byte { return ping })
			return
		}
		_, _ = l.Write(half.Bytes())
		l.listen()
	})
}

func slowHeads(ctx context.Context, a *assault) {
	crowd(ctx, 1000, 300, 150, func(i int) {
		l := a.dial(ctx, source(i, 8), a.target.Plain)
		if l == nil {
			return
		}
		defer l.hangUp()
		fmt.Fprint(l, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nX-Slow: ")
		l.drip(time.Second, func() []byte { return []byte("x") })
	})
}

func storm(ctx context.Context, a *assault) {
	crowd(ctx, 50, 50, 200, func(i int) {
		l := a.dial(ctx, source(i, 8), a.target.Plain)
		if l == nil {
			return
		}
		defer l.hangUp()
		if l.session(false) {
			_, _ = l.Write(join(fmt.Sprintf("storm-%d", i)))
		}
	})
}

func floodCommands(ctx context.Context, a *assault) {
	var batch bytes.Buffer
	for n := range 20 {
		batch.Write(join(fmt.Sprintf("flood-%d", n)))
		batch.Write(textFrame(fmt.Sprintf(`{"cmd":"send_to_group","group_id":"flood-%d","message":"x","req_id":1}`, n)))
		batch.Write(textFrame(fmt.Sprintf(`{"cmd":"leave_group","group_id":"flood-%d"}`, n)))
		batch.Write(textFrame(`{"cmd":"ping"}`))
		batch.Write(textFrame(`{"cmd":"send_to_group",` + strings.Repeat("[", 200)))
	}
	crowd(ctx, 4, 4, 1, func(i int) {
		l := a.enter(ctx, a.dial, i, 4)
		if l == nil {
			return
		}
		defer l.hangUp()
		go func() {
			for {
				h, err := ws.ReadHeader(l)
				if err == nil {
					_, err = io.CopyN(io.Discard, l, h.Length)
				}
				if err != nil {
					return
				}
				a.count("answers")
			}
		}()
		for wait(ctx, 100*time.Millisecond) {
			if _, err := l.Write(batch.Bytes()); err != nil {
				if ctx.Err() == nil {
					a.count(closedByPeer)
				}
				return
			}
		}
	})
}

// wrongFrame makes a frame whose head is changed.
func wrongFrame(payload int, change func(*ws.Header)) []byte {
	h := ws.Header{Fin: true, OpCode: ws.OpText, Masked: true, Length: int64(payload)}
	change(&h)
	var b bytes.Buffer
	_ = ws.WriteHeader(&b, h)
	b.Write(make([]byte, payload))
	return b.Bytes()
}

var hostileFrames = [][]byte{
	wrongFrame(5, func(h *ws.Header) { h.Masked = false }),
	wrongFrame(5, func(h *ws.Header) { h.Rsv = 4 }),
	wrongFrame(5, func(h *ws.Header) { h.OpCode = 11 }),
	wrongFrame(126, func(h *ws.Header) { h.OpCode = ws.OpPing }),
	wrongFrame(0, func(h *ws.Header) { h.Length = 1 << 40 }), // too large, said before a byte of it has come
	wrongFrame(70000, func(*ws.Header) {}),
	{0x81, 0xfe, 0, 5, 0, 0, 0, 0, 'h', 'e', 'l', 'l', 'o'}, // a length in more bytes than it needs
	append(wrongFrame(0, func(h *ws.Header) { h.Fin = false }),
		bytes.Repeat(wrongFrame(0, func(h *ws.Header) { h.Fin, h.OpCode = false, ws.OpContinuation }), 1100)...),
}

func wrongMessages(ctx context.Context, a *assault) {
	crowd(ctx, 2*len(hostileFrames), len(hostileFrames), 100, func(i int) {
		l := a.enter(ctx, a.dial, i, 8)
		if l == nil {
			return
		}
		defer l.hangUp()
		_ = l.SetDeadline(time.Now().Add(patience))
		_, _ = l.Write(hostileFrames[i/2%len(hostileFrames)])
		h, err := ws.ReadHeader(l)
		if err != nil || h.OpCode != ws.OpClose || h.Length < 2 || h.Length > 125 {
			if ctx.Err() == nil {
				a.count("closed without a code")
			}
			return
		}
		var code [2]byte
		if _, err := io.ReadFull(l, code[:]); err == nil {
			a.count(fmt.Sprintf("closed with %d", binary.BigEndian.Uint16(code[:])))
		}
	})
}
