package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"groupcast/server/problem"
)

// Channel is a Workerman Channel server as the control socket sees it. Its methods
// are called from any goroutine.
type Channel interface {
	// Queues lists up to limit queues, those first that hold most bytes, and how many there are.
	Queues(limit int) (list []Queue, all int)
	// PurgeQueue throws a queue's messages away: how many, and whether there is such a queue.
	PurgeQueue(name string) (messages int, ok bool)
	Connections() []ChannelConnection
}

// Queue is a queue of the Channel server. A name that is not UTF-8 is not told whole.
type Queue struct {
	Name      string `json:"name"`
	Messages  int    `json:"messages"`
	Bytes     int    `json:"bytes"`
	Watchers  int    `json:"watchers"`
	Consumers int    `json:"consumers"` // watchers that have asked for a message
	// OldestSeconds is the age of the first message; 0 without one.
	OldestSeconds float64 `json:"oldest_seconds"`
}

// Queues are the answer to a listing: some of All.
type Queues struct {
	Queues []Queue `json:"queues"`
	All    int     `json:"all"`
}

// Purged is the answer to a purge.
type Purged struct {
	Messages int `json:"messages"`
}

// ChannelConnection is a connection to the Channel server.
type ChannelConnection struct {
	Kind string `json:"kind"` // channel
	Peer string `json:"peer"`
	// Name is that of a groupcast; PHP programs have none.
	Name        string  `json:"name,omitempty"`
	Channels    int     `json:"channels"` // that it subscribes to and watches
	QueuedBytes int     `json:"queued_bytes"`
	IdleSeconds float64 `json:"idle_seconds"`
	AgeSeconds  float64 `json:"age_seconds"`
	Busy        bool    `json:"busy"` // it holds a job
}

// maxQueues is how many queues one answer lists.
const maxQueues = 1000

var errNoChannel = errors.New("this server has no Channel server (--channel)")

// handleChannel answers for the Channel server that get returns, nil without one.
func handleChannel(mux *http.ServeMux, get func() Channel) {
	handle := func(pattern string, serve func(Channel, http.ResponseWriter, *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			var c Channel
			if get != nil {
				c = get()
			}
			if c == nil {
				fail(w, http.StatusNotFound, errNoChannel)
				return
			}
			serve(c, w, r)
		})
	}
	handle("GET /control/v1/channel/queues", func(c Channel, w http.ResponseWriter, r *http.Request) {
		limit := maxQueues
		if text := r.URL.Query().Get("limit"); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 || n > maxQueues {
				fail(w, http.StatusUnprocessableEntity, fmt.Errorf("limit: wants 1 to %d, got %q", maxQueues, text))
				return
			}
			limit = n
		}
		list, all := c.Queues(limit)
		answer(w, http.StatusOK, Queues{append([]Queue{}, list...), all})
	})
	handle("DELETE /control/v1/channel/queues", func(c Channel, w http.ResponseWriter, r *http.Request) {
		name := r.URL.Query().Get("name")
		n, ok := c.PurgeQueue(name)
		if !ok {
			fail(w, http.StatusNotFound, fmt.Errorf("there is no queue %q", name))
			return
		}
		answer(w, http.StatusOK, Purged{n})
	})
	handle("GET /control/v1/channel/connections", func(c Channel, w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, append([]ChannelConnection{}, c.Connections()...))
	})
}

// Queues lists up to limit queues of the Channel server, 1 to 1,000.
func (c *Client) Queues(ctx context.Context, limit int) (list Queues, err error) {
	return list, c.call(ctx, http.MethodGet, "/control/v1/channel/queues?limit="+strconv.Itoa(min(limit, maxQueues)),
		nil, &list)
}

// PurgeQueue throws the messages of a queue away, and is how many they were.
func (c *Client) PurgeQueue(ctx context.Context, name string) (messages int, err error) {
	var done Purged
	err = c.call(ctx, http.MethodDelete, "/control/v1/channel/queues?name="+url.QueryEscape(name), nil, &done)
	return done.Messages, err
}

// ChannelConnections lists the connections to the Channel server, each with the
// answer that it was read from; none without one.
func (c *Client) ChannelConnections(ctx context.Context) (list []ChannelConnection, raw []json.RawMessage, err error) {
	err = c.call(ctx, http.MethodGet, "/control/v1/channel/connections", nil, &raw)
	if refused, ok := errors.AsType[*problem.RequestError](err); ok && refused.Status == http.StatusNotFound {
		return nil, nil, nil
	}
	for _, text := range raw {
		var one ChannelConnection
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, nil, fmt.Errorf("the answer from %s: %w", c.Path, err)
		}
		list = append(list, one)
	}
	return list, raw, err
}
