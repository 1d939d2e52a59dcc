package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/coder/websocket"
)

// population is how many live sessions there are, and what they are sent.
type population struct {
	sessions, groups int
	every            time.Duration // between two messages to one group
}

// live are the sessions that must notice nothing. Each is in two groups; each group has one publisher, which is one of
// its members.
// Owner: the run.
type live struct {
	population
	began     time.Time
	members   []*member
	published []atomic.Uint64 // by group

	stopPublishing context.CancelFunc
	publishing     sync.WaitGroup
	reading        sync.WaitGroup
	leaving        atomic.Bool
	delivered      atomic.Int64 // to all, in all phases

	mu     sync.Mutex // guards what follows
	phase  *hdrhistogram.Histogram
	second *hdrhistogram.Histogram
}

// member is one live session.
// Owner: its reading goroutine, until that has ended.
type member struct {
	name    string
	conn    *websocket.Conn
	groups  [2]int
	ledgers map[int]*ledger // by group
	strange uint64
	ended   error // how it was closed, if that was not our doing
}

// startLive connects all sessions, has them join, and starts publishing once the last one is in.
func startLive(ctx context.Context, s *server, p population) (*live, error) {
	l := &live{population: p, began: time.Now(), published: make([]atomic.Uint64, p.groups)}
	l.newPhase()
	l.newSecond()
	for i := range p.sessions {
		m, err := l.connect(ctx, s, i)
		if err != nil {
			return l, fmt.Errorf("live session %d: %w", i, err)
		}
		l.members = append(l.members, m)
	}
	for _, m := range l.members {
		l.reading.Go(func() { l.read(m) })
	}
	publish, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.stopPublishing = cancel
	for g := range p.groups {
		l.publishing.Go(func() { l.publish(publish, l.members[g], g) })
	}
	return l, nil
}

// connect makes session i, every other one over TLS where the server has it.
func (l *live) connect(ctx context.Context, s *server, i int) (*member, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m := &member{
		name: fmt.Sprintf("%d", i), groups: [2]int{i % l.groups, (i/l.groups + i + 1) % l.groups},
		ledgers: map[int]*ledger{},
	}
	url, options := "ws://"+s.target.Plain, &websocket.DialOptions{}
	if s.target.TLS != "" && i%2 == 1 {
		url, m.name = "wss://"+s.target.TLS, m.name+" (TLS)"
		options.HTTPClient = &http.Client{Transport: &http.Transport{TLSClientConfig: s.trust()}}
	}
	var err error
	m.conn, _, err = websocket.Dial(ctx, url, options) //nolint:bodyclose // the library closes it
	if err != nil {
		return nil, err
	}
	for _, g := range m.groups {
		if m.ledgers[g] != nil {
			continue
		}
		m.ledgers[g] = &ledger{}
		join := fmt.Sprintf(`{"cmd":"add_group","group_id":"live-%d","req_id":1}`, g)
		if err := m.conn.Write(ctx, websocket.MessageText, []byte(join)); err != nil {
			return nil, err
		}
		if _, answer, err := m.conn.Read(ctx); err != nil || !strings.Contains(string(answer), `"ack"`) {
			return nil, errors.Join(fmt.Errorf("joining was answered %q", answer), err)
		}
	}
	return m, nil
}

func (l *live) read(m *member) {
	for {
		_, text, err := m.conn.Read(context.Background())
		if err != nil {
			if !l.leaving.Load() {
				m.ended = err
			}
			return
		}
		s, err := readStamp(string(text))
		if err != nil || m.ledgers[s.stream] == nil {
			m.strange++
			continue
		}
		m.ledgers[s.stream].take(s.number)
		l.delivered.Add(1)
		l.record(time.Since(l.began) - s.due)
	}
}

// publish sends a message to the group whenever one is due. What could not be sent on time is
// sent late, and counts from when it was due.
func (l *live) publish(ctx context.Context, m *member, group int) {
	due := time.Since(l.began) + l.every*time.Duration(group)/time.Duration(l.groups)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(due - time.Since(l.began))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		text, err := json.Marshal(stamp{group, l.published[group].Load() + 1, due}.String())
		if err != nil {
			panic(err) // a string
		}
		l.published[group].Add(1) // first: what comes back at once was published
		command := fmt.Sprintf(`{"cmd":"send_to_group","group_id":"live-%d","message":%s}`, group, text)
		if err := m.conn.Write(context.Background(), websocket.MessageText, []byte(command)); err != nil {
			return // its reader tells how the session ended; what was not published is lost
		}
		due += l.every
	}
}

func (l *live) record(d time.Duration) {
	us := min(max(d, time.Microsecond), maxLatency).Microseconds() // within the histograms' range
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.phase.RecordValue(us), l.second.RecordValue(us)
}

const maxLatency = 10 * time.Minute

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, maxLatency.Microseconds(), 3) }

// newPhase returns the latencies since the last call.
func (l *live) newPhase() latencies { return l.exchange(&l.phase) }

// newSecond returns the latencies since its own last call.
func (l *live) newSecond() latencies { return l.exchange(&l.second) }

func (l *live) exchange(which **hdrhistogram.Histogram) latencies {
	next := newHistogram()
	l.mu.Lock()
	h := *which
	*which = next
	l.mu.Unlock()
	if h == nil || h.TotalCount() == 0 {
		return latencies{}
	}
	at := func(percent float64) time.Duration {
		return time.Duration(h.ValueAtPercentile(percent)) * time.Microsecond
	}
	return latencies{Messages: h.TotalCount(), P50: at(50), P99: at(99), Max: at(100)}
}

// finish stops publishing, gives what is under way its time, ends all sessions and counts.
func (l *live) finish() tally {
	if l.stopPublishing != nil {
		l.stopPublishing()
	}
	l.publishing.Wait()
	l.awaitDeliveries()
	l.leaving.Store(true)
	for _, m := range l.members {
		_ = m.conn.CloseNow()
	}
	l.reading.Wait()
	t := tally{Sessions: len(l.members)}
	for g := range l.published {
		t.Published += l.published[g].Load()
	}
	for _, m := range l.members {
		t.Strange += m.strange
		if m.ended != nil {
			t.Closed = append(t.Closed, fmt.Sprintf("%s: %v", m.name, m.ended))
		}
		for g, ledger := range m.ledgers {
			published := l.published[g].Load()
			t.Expected += published
			t.Received += ledger.received
			t.Lost += ledger.lost(published)
			t.Duplicated += ledger.duplicated
			t.Reordered += ledger.reordered
		}
	}
	return t
}

// awaitDeliveries returns when everything has come, or nothing more comes.
func (l *live) awaitDeliveries() {
	var want int64
	for _, m := range l.members {
		for g := range m.ledgers {
			want += int64(l.published[g].Load())
		}
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if l.delivered.Load() >= want {
			return
		}
	}
}
