package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"groupcast/loop"
	"groupcast/server/monitor"
	"groupcast/server/problem"
)

// Client asks one server over its control socket. Its methods may be called from
// any goroutine. Each error is for the operator; what the server has refused is
// a *problem.RequestError.
type Client struct {
	Path string
	http *http.Client
}

// NewClient makes a client of the socket at path. Nothing is connected yet.
func NewClient(path string) *Client {
	return newClient(path, func(ctx context.Context) (net.Conn, error) {
		conn, _, err := dial(ctx, path)
		if err != nil {
			return nil, err // not a nil *net.UnixConn
		}
		return conn, nil
	})
}

func newClient(path string, dial func(context.Context) (net.Conn, error)) *Client {
	transport := &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		MaxIdleConns:           1,
		MaxResponseHeaderBytes: maxAnswerHeaderBytes,
	}
	return &Client{Path: path, http: &http.Client{
		Transport: transport,
		// Nothing of ours redirects; a group called ".." must not become another path.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Info asks which server it is.
func (c *Client) Info(ctx context.Context) (info Info, err error) {
	return info, c.call(ctx, http.MethodGet, "/control/v1/info", nil, &info)
}

// Command asks how it was started.
func (c *Client) Command(ctx context.Context) (command Command, err error) {
	return command, c.ask(ctx, maxCommandBytes, http.MethodGet, "/control/v1/command", "", nil, &command)
}

// Stop has it begin to stop.
func (c *Client) Stop(ctx context.Context, s Stop) (stopping Stopping, err error) {
	body, err := json.Marshal(s)
	if err != nil {
		return stopping, err
	}
	return stopping, c.call(ctx, http.MethodPost, "/control/v1/stop", bytes.NewReader(body), &stopping)
}

// Reload has it read its settings again.
func (c *Client) Reload(ctx context.Context) (done Reloaded, err error) {
	return done, c.call(ctx, http.MethodPost, "/control/v1/reload", nil, &done)
}

// Status asks how it is doing. raw is the answer as it came.
func (c *Client) Status(ctx context.Context) (status monitor.Status, raw json.RawMessage, err error) {
	if err := c.call(ctx, http.MethodGet, "/v1/status", nil, &raw); err != nil {
		return status, nil, err
	}
	if err := json.Unmarshal(raw, &status); err != nil {
		return status, nil, fmt.Errorf("the answer from %s: %w", c.Path, err)
	}
	return status, raw, nil
}

// History asks for the last two minutes, and for what has happened.
func (c *Client) History(ctx context.Context) (history monitor.History, err error) {
	return history, c.call(ctx, http.MethodGet, "/v1/history", nil, &history)
}

// Session is a session, and the answer that it was read from.
type Session struct {
	loop.SessionInfo

	ID  string // in place of the other: in a cluster it has the node's name in it
	Raw json.RawMessage
}

// UnmarshalJSON keeps the text.
func (s *Session) UnmarshalJSON(text []byte) error {
	s.Raw = bytes.Clone(text)
	read := struct {
		*loop.SessionInfo

		ID string `json:"id"`
	}{SessionInfo: &s.SessionInfo}
	err := json.Unmarshal(text, &read)
	s.ID = read.ID
	return err
}

// Sessions lists up to limit sessions behind after; an empty one is the beginning.
// next is where to go on, empty at the end.
func (c *Client) Sessions(ctx context.Context, after string, limit int) (page []Session, next string, err error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if after != "" {
		query.Set("after", after)
	}
	var answer struct {
		Sessions []json.RawMessage `json:"sessions"` // small until they are counted
		Next     string            `json:"next"`
	}
	if err := c.call(ctx, http.MethodGet, "/v1/sessions?"+query.Encode(), nil, &answer); err != nil {
		return nil, "", err
	}
	if len(answer.Sessions) > limit {
		return nil, "", fmt.Errorf("the answer from %s: wants %d sessions at most, got %d", c.Path, limit,
			len(answer.Sessions))
	}
	page = make([]Session, len(answer.Sessions))
	for i, text := range answer.Sessions {
		if err := json.Unmarshal(text, &page[i]); err != nil {
			return nil, "", fmt.Errorf("the answer from %s: %w", c.Path, err)
		}
	}
	return page, answer.Next, nil
}

// Publish sends a message to a group, and is its place in the order.
func (c *Client) Publish(ctx context.Context, group string, message []byte) (order uint64, err error) {
	var answer struct {
		Order uint64 `json:"order"`
	}
	if group == "/" {
		// Go's routes take a segment that is %2F for the end of the path.
		return c.PublishTo(ctx, []string{group}, nil, message)
	}
	err = c.ask(ctx, maxAnswerBytes, http.MethodPost, "/v1/groups/"+escape(group)+"/messages",
		"text/plain; charset=utf-8", bytes.NewReader(message), &answer)
	return answer.Order, err
}

// PublishTo sends a message to groups and users, and is its place in the order. All of it is UTF-8.
func (c *Client) PublishTo(ctx context.Context, groups, users []string, message []byte) (order uint64, err error) {
	var answer struct {
		Order uint64 `json:"order"`
	}
	body, err := json.Marshal(struct {
		Groups  []string `json:"groups,omitempty"`
		Users   []string `json:"users,omitempty"`
		Message string   `json:"message"`
	}{groups, users, string(message)})
	if err == nil {
		err = c.ask(ctx, maxAnswerBytes, http.MethodPost, "/v1/publish", "application/json", bytes.NewReader(body), &answer)
	}
	return answer.Order, err
}

// escape is a path's segment. A dot by itself is a path's own affair, too.
func escape(segment string) string {
	if strings.Trim(segment, ".") == "" {
		return strings.ReplaceAll(segment, ".", "%2E")
	}
	return url.PathEscape(segment)
}

// Bounds of what is read of one answer.
const (
	// The longest page of sessions has less than half a megabyte.
	maxAnswerBytes = 1 << 20
	// A command has the whole environment of the server in it, which Linux lets be
	// 6 MiB together with the arguments.
	maxCommandBytes      = 16 << 20
	maxAnswerHeaderBytes = 16 << 10
)

// call does one request and reads the JSON of its answer into result.
func (c *Client) call(ctx context.Context, method, path string, body io.Reader, result any) error {
	return c.ask(ctx, maxAnswerBytes, method, path, "application/json", body, result)
}

func (c *Client) ask(ctx context.Context, limit int, method, path, contentType string, body io.Reader,
	result any,
) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://groupcast"+path, body)
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.explain(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	if err != nil {
		return c.explain(err)
	}
	if len(text) > limit {
		return fmt.Errorf("the answer from %s: wants %d bytes at most, got more", c.Path, limit)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return problem.Read(response.StatusCode, text)
	}
	if err := json.Unmarshal(text, result); err != nil {
		return fmt.Errorf("the answer from %s: %w", c.Path, err)
	}
	return nil
}

// ErrGone means that no server answers on the socket.
var ErrGone = errors.New("no server is running there")

// explain says what an error of net/http means.
func (c *Client) explain(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%s: %w", c.Path, ErrGone)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("%s: %w", c.Path, ErrDenied)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: the server does not answer", c.Path)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%s: the server ended during the question: %w", c.Path, ErrGone)
	case errors.Is(err, context.Canceled):
		return err
	}
	return fmt.Errorf("%s: %w", c.Path, reason(err))
}
