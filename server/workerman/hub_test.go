package workerman

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"groupcast/protocol/workerman"
)

// model is the hub as plainly as it can be written: what Workerman's server
// does, in lists.
type model struct {
	subs    map[string][]int // channel: connections, in no order
	watches map[string][]int
	credits map[string][]int // queue: connections, in the order of their credits
	queues  map[string][]int // queue: numbers of messages
	inbox   map[int][]string // connection: what it must have got
}

func without(list []int, v int) []int {
	return slices.DeleteFunc(slices.Clone(list), func(x int) bool { return x == v })
}

func (m *model) dispatch(q string) {
	for len(m.queues[q]) > 0 && len(m.credits[q]) > 0 {
		c := m.credits[q][0]
		m.credits[q] = m.credits[q][1:]
		m.inbox[c] = append(m.inbox[c], fmt.Sprintf("queue %s %d", q, m.queues[q][0]))
		m.queues[q] = m.queues[q][1:]
	}
	m.tidy(q)
}

func (m *model) tidy(q string) {
	if len(m.queues[q]) == 0 && len(m.watches[q]) == 0 {
		delete(m.queues, q)
	}
	if len(m.watches[q]) == 0 {
		delete(m.watches, q)
	}
}

// TestHubProperty compares the hub with the model under random operations.
func TestHubProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opt := DefaultOptions()
		h := newHub(&opt, NewNode(), func(string, workerman.Reason) { t.Fatal("bad") })
		const conns = 4
		var all [conns]*conn
		fresh := func(i int) {
			all[i] = &conn{out: newOutbox(1 << 30), subs: map[string]*subscription{}, watches: map[string]*watch{}}
		}
		for i := range all {
			fresh(i)
		}
		m := &model{map[string][]int{}, map[string][]int{}, map[string][]int{}, map[string][]int{}, map[int][]string{}}
		decoder := workerman.NewDecoder(workerman.DefaultLimits())
		// read takes what a connection has got.
		read := func(i int) (got []string) {
			for _, f := range all[i].out.frames {
				var msg workerman.Message
				if err := decoder.Decode(bytes.Join(f.appendTo(nil), nil)[workerman.HeaderBytes:], &msg); err != nil {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%s %s %s", msg.Type, msg.Channels[0].Name, msg.Data.Bytes[2:len(msg.Data.Bytes)-1]))
			}
			all[i].out = newOutbox(1 << 30)
			return got
		}
		check := func(i int) {
			if got, want := read(i), m.inbox[i]; !slices.Equal(got, want) {
				t.Fatalf("connection %d got %q, want %q", i, got, want)
			}
			m.inbox[i] = nil
		}
		for n := range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, conns-1).Draw(t, "conn")
			c := all[i]
			name := rapid.SampledFrom([]string{"a", "b", "7"}).Draw(t, "channel")
			ch := []workerman.Channel{{Name: []byte(name), IsInt: name == "7" && rapid.Bool().Draw(t, "int")}}
			data := workerman.Data{Bytes: fmt.Appendf(nil, "i:%d;", n)}
			switch op := rapid.SampledFrom([]string{
				"subscribe", "unsubscribe", "publish", "publish", "publishLoop", "watch", "unwatch",
				"enqueue", "enqueue", "reserve", "reserve", "drop", "reconnect",
			}).Draw(t, "op"); op {
			case "subscribe":
				h.subscribe(c, ch, nil)
				m.subs[name] = append(without(m.subs[name], i), i)
			case "unsubscribe":
				h.unsubscribe(c, ch)
				m.subs[name] = without(m.subs[name], i)
			case "publish":
				h.publish(c, ch[0], &shipment{data: data})
				for _, to := range m.subs[name] {
					m.inbox[to] = append(m.inbox[to], fmt.Sprintf("event %s %d", name, n))
				}
			case "publishLoop":
				// Any one of them; the turns are another test's.
				before := make([]int, conns)
				for k := range all {
					before[k] = len(all[k].out.frames)
				}
				h.publishLoop(c, ch[0], &shipment{data: data})
				took := 0
				for k := range all {
					if len(all[k].out.frames) == before[k] {
						continue
					}
					took++
					if !slices.Contains(m.subs[name], k) {
						t.Fatalf("%d does not subscribe to %s", k, name)
					}
					m.inbox[k] = append(m.inbox[k], fmt.Sprintf("event %s %d", name, n))
				}
				if took != min(len(m.subs[name]), 1) {
					t.Fatalf("%d took it", took)
				}
			case "watch":
				h.watch(c, ch)
				m.watches[name] = append(without(m.watches[name], i), i)
				if m.queues[name] == nil {
					m.queues[name] = []int{}
				}
			case "unwatch":
				h.unwatch(c, ch)
				m.watches[name] = without(m.watches[name], i)
				m.credits[name] = without(m.credits[name], i)
				m.tidy(name)
			case "enqueue":
				h.enqueue(c, ch[0], data)
				m.queues[name] = append(m.queues[name], n)
				m.dispatch(name)
			case "reserve":
				// Queue by queue, since the order between them is nobody's promise.
				check(i)
				h.reserve(c)
				for _, q := range []string{"a", "b", "7"} {
					if slices.Contains(m.watches[q], i) {
						if !slices.Contains(m.credits[q], i) {
							m.credits[q] = append(m.credits[q], i)
						}
						m.dispatch(q)
					}
				}
				got, want := read(i), m.inbox[i]
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("after reserve %d got %q, want %q", i, got, want)
				}
				m.inbox[i] = nil
			case "drop", "reconnect":
				check(i)
				h.drop(c)
				fresh(i)
				for _, q := range []string{"a", "b", "7"} {
					m.subs[q] = without(m.subs[q], i)
					m.watches[q] = without(m.watches[q], i)
					m.credits[q] = without(m.credits[q], i)
					m.tidy(q)
				}
			}
			checkCounts(t, h, m)
		}
		for i := range all {
			check(i)
			h.drop(all[i])
		}
		if h.subscriptions != 0 || h.watches != 0 || len(h.topics.all) != 0 {
			t.Fatalf("left behind: %d subscriptions, %d watches, %d topics", h.subscriptions, h.watches, len(h.topics.all))
		}
	})
}

func checkCounts(t *rapid.T, h *hub, m *model) {
	subs, watches, queued := 0, 0, 0
	for _, list := range m.subs {
		subs += len(list)
	}
	for _, list := range m.watches {
		watches += len(list)
	}
	for _, list := range m.queues {
		queued += len(list)
	}
	if h.subscriptions != subs || h.watches != watches || h.queued != queued || len(h.queues.all) != len(m.queues) ||
		(h.queuedBytes == 0) != (queued == 0) {
		t.Fatalf("%d subscriptions, %d watches, %d queued in %d queues, %d bytes; want %d, %d, %d in %d", h.subscriptions,
			h.watches, h.queued,
			len(h.queues.all), h.queuedBytes, subs, watches, queued, len(m.queues))
	}
	// The makers have exactly the queues that nobody watches.
	made := make(map[*maker]int)
	for _, q := range h.queues.all {
		if (q.place == nil) != (q.watchers > 0) {
			t.Fatalf("%s has %d watchers, and its maker's place is %v", q.channel.Name, q.watchers, q.place)
		}
		if q.place != nil {
			made[q.maker]++
		}
	}
	most := 0
	for m, n := range made {
		if most = max(most, n); m.queues.Len() != n {
			t.Fatalf("a maker has %d of %d", m.queues.Len(), n)
		}
	}
	if m := h.makers.most(); (m == nil) != (most == 0) || m != nil && m.queues.Len() != most {
		t.Fatalf("the most is %d, not %v", most, m)
	}
}
