package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// patience is how long a well-behaved program waits for an answer.
const patience = 20 * time.Second

// witness is a well-behaved program that tries something once a second, from before the siege to its end.
// Owner: its goroutine, until the run has waited for it.
type witness struct {
	witnessed
	try   func(context.Context) error
	leave func()
}

// watch has every witness try once a second until ctx ends, and returns when all have stopped.
func watch(ctx context.Context, witnesses []*witness) {
	var all sync.WaitGroup
	for _, w := range witnesses {
		all.Go(func() {
			second := time.NewTicker(time.Second)
			defer second.Stop()
			for ctx.Err() == nil {
				w.once()
				select {
				case <-second.C:
				case <-ctx.Done():
				}
			}
		})
	}
	all.Wait()
}

// once tries, for no longer than patience, and enters how it went.
func (w *witness) once() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	err := w.try(ctx)
	w.Tried++
	w.Slowest = max(w.Slowest, time.Since(began))
	if err != nil {
		w.Failed = append(w.Failed, err.Error())
	}
}

// newWitnesses returns a probe, a backend, two PHP programs, and an operator.
func newWitnesses(s *server) ([]*witness, error) {
	program, err := newProgram(s.target.Channel)
	if err != nil {
		return nil, fmt.Errorf("a program at the Channel server: %w", err)
	}
	consumer, err := newConsumer(s.target.Channel)
	if err != nil {
		return nil, fmt.Errorf("a consumer at the Channel server: %w", err)
	}
	return []*witness{
		{witnessed: witnessed{Name: "a probe of /healthz, connecting each time"}, try: s.probe},
		{witnessed: witnessed{Name: "a backend that publishes with the token"}, try: s.backend},
		{witnessed: witnessed{Name: "a PHP program that publishes and subscribes"}, try: program.round, leave: program.leave},
		{witnessed: witnessed{Name: "a PHP consumer that is busy with one job"}, try: consumer.stays, leave: consumer.leave},
		{witnessed: witnessed{Name: "an operator who reloads"}, try: newOperator(s).reload},
	}, nil
}

func (s *server) probe(ctx context.Context) error {
	text, err := s.ask(ctx, http.MethodGet, "http://"+s.target.API+"/healthz", "", http.StatusOK)
	if err == nil && !strings.Contains(text, `"ok"`) {
		err = fmt.Errorf("answered %q", text)
	}
	return err
}

func (s *server) backend(ctx context.Context) error {
	_, err := s.ask(ctx, http.MethodPost, "http://"+s.target.API+"/v1/groups/backend/messages", token, http.StatusAccepted)
	return err
}

// ask sends a request, on a connection of its own, and wants this status.
func (s *server) ask(ctx context.Context, method, url, token string, want int) (string, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader("hello"))
	if err != nil {
		return "", err
	}
	if method == http.MethodGet {
		request.Body = nil
		request.ContentLength = 0
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != want {
		err = fmt.Errorf("answered %s, not %d", answer.Status, want)
	}
	return string(text), err
}

// program subscribes to a channel and publishes to it.
type program struct {
	conn  net.Conn
	round func(context.Context) error
}

func newProgram(addr string) (*program, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &program{conn: conn}
	n := 0
	p.round = func(ctx context.Context) error {
		n++
		data := fmt.Sprintf("round %d", n)
		deadline, _ := ctx.Deadline()
		_ = conn.SetDeadline(deadline)
		if _, err := conn.Write(channelMessage("publish", []string{"program"}, data)); err != nil {
			return err
		}
		body, err := readChannelFrame(conn)
		if err == nil && !strings.Contains(string(body), data) {
			err = fmt.Errorf("%s came as %q", data, body)
		}
		return err
	}
	_, err = conn.Write(channelMessage("subscribe", []string{"program"}, ""))
	return p, err
}

func (p *program) leave() { _ = p.conn.Close() }

// consumer has taken a job and says and reads nothing while it works, as PHP without an event loop.
type consumer struct{ conn net.Conn }

func newConsumer(addr string) (*consumer, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	for _, message := range [][]byte{
		channelMessage("enqueue", []string{"job"}, "the first"),
		channelMessage("watch", []string{"job"}, ""), channelMessage("reserve", nil, ""),
	} {
		if _, err := conn.Write(message); err != nil {
			return nil, err
		}
	}
	body, err := readChannelFrame(conn)
	if err == nil && !strings.Contains(string(body), "the first") {
		err = fmt.Errorf("the job came as %q", body)
	}
	_ = conn.SetDeadline(time.Time{})
	return &consumer{conn}, err
}

// stays fails once the connection is closed: nothing else comes, since nothing was asked for.
func (c *consumer) stays(context.Context) error {
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	var b [1]byte
	_, err := c.conn.Read(b[:])
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return nil
	}
	return errors.Join(errors.New("closed, or told something"), err)
}

func (c *consumer) leave() { _ = c.conn.Close() }

// operator reloads the configuration: now a good one, now one with a mistake in it, which must change nothing.
type operator struct {
	server *server
	client *http.Client
	times  int
}

func newOperator(s *server) *operator {
	return &operator{server: s, client: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", s.target.Control)
		},
	}}}
}

func (o *operator) reload(ctx context.Context) error {
	o.times++
	text, want := fmt.Sprintf("max-fragments: %d", 1024+o.times%7), http.StatusOK
	if o.times%2 == 0 {
		text, want = text+"\nmax-message: a lot", http.StatusUnprocessableEntity
	}
	if err := o.server.configure(text); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/control/v1/reload", nil)
	if err != nil {
		return err
	}
	answer, err := o.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != want {
		return fmt.Errorf("%q was answered %s, not %d", text, answer.Status, want)
	}
	return nil
}
