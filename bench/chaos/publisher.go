package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// link is a publisher's connection to its node, where it keeps one.
type link struct{ conn *websocket.Conn }

func (l *link) close() {
	if l.conn != nil {
		_ = l.conn.CloseNow()
		l.conn = nil
	}
}

// sender sends one message, and says what became of it and whether its node answers.
type sender func(ctx context.Context, at int, s *stream, number int, l *link) (m mark, there bool)

// publish sends a message whenever one is due, the next one when the one before was answered. Another life of a node is
// another stream: between the two there is no order.
func (w *world) publish(i int, group string, l load, send sender) {
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	at := i
	var s *stream
	line := new(link)
	defer func() { line.close() }()
	for {
		select {
		case <-w.publishing.Done():
			return
		case <-tick.C:
		}
		if life := int(w.nodes[at].life.Load()); s == nil || s.life != life {
			line.close()
			s = w.book.newStream(group, fmt.Sprintf("publisher %d at %s, life %d", i, w.nodes[at].name, life), life)
		}
		number := s.begin()
		m, there := send(w.ctx, at, s, number, line)
		s.answered(number, m)
		if !there && l.follow {
			at = (at + 1) % len(w.nodes)
			line.close()
			s = nil
		}
	}
}

// publisherClient has a request wait as long as it takes: what was given up may still be published, behind the next
// one.
var publisherClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func (w *world) overHTTP(ctx context.Context, at int, s *stream, number int, _ *link) (mark, bool) {
	url := "http://" + w.nodes[at].api + "/v1/groups/" + s.group + "/messages"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(text(s.id, number, w.padding)))
	if err != nil {
		return unknown, false
	}
	request.GetBody = nil // nothing is sent twice
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := publisherClient.Do(request)
	if err != nil {
		return unknown, false
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	switch answer.StatusCode {
	case http.StatusAccepted:
		return accepted, true
	case http.StatusServiceUnavailable:
		return refused, false
	}
	return unknown, false
}

func (w *world) overWebSocket(ctx context.Context, at int, s *stream, number int, l *link) (mark, bool) {
	if l.conn == nil {
		conn, err := w.dial(ctx, w.nodes[at])
		if err != nil {
			return refused, false // it was never sent
		}
		l.conn = conn
	}
	command := fmt.Appendf(nil, `{"cmd":"send_to_group","group_id":%q,"message":%q,"req_id":%d}`, s.group,
		text(s.id, number, w.padding), number)
	if err := l.conn.Write(ctx, websocket.MessageText, command); err != nil {
		l.close()
		return unknown, false
	}
	for {
		_, said, err := l.conn.Read(ctx)
		if err != nil {
			l.close()
			return unknown, false
		}
		var a answer
		if err := json.Unmarshal(said, &a); err != nil || a.ReqID != number {
			continue
		}
		switch a.Cmd {
		case "ack":
			return accepted, true
		case "error":
			return refused, a.Code == "overloaded"
		}
	}
}
