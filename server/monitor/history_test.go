package monitor

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"groupcast/loop"
)

// The last two minutes are kept, and no more; a list for each quantity, all as long.
func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(2)
		m, pass := run(t, e, Info{})
		if h := m.History(); h.Samples.AtMillis == nil || h.Events == nil || len(h.Events) != 0 {
			t.Errorf("before the first sample: %+v", h)
		}
		for i := range HistorySamples + 7 {
			e.change(func(s *loop.Stats) {
				s.Reactors[0].Sessions, s.Reactors[1].Sessions = i, 1
				s.Reactors[0].Deliveries += 3
				s.Reactors[1].BacklogBytes = 10 * i
			})
			pass(Every)
		}
		s := m.History().Samples
		lists := reflect.ValueOf(s)
		for i := range lists.NumField() {
			if n := lists.Field(i).Len(); n != HistorySamples {
				t.Errorf("%s has %d entries, want %d", lists.Type().Field(i).Name, n, HistorySamples)
			}
		}
		last, at := HistorySamples-1, m.Status().TakenAt
		if s.AtMillis[last] != at.UnixMilli() || s.AtMillis[last]-s.AtMillis[0] != Every.Milliseconds()*int64(last) {
			t.Errorf("from %d to %d; the last sample was taken at %d", s.AtMillis[0], s.AtMillis[last], at.UnixMilli())
		}
		if s.Sessions[last] != HistorySamples+7 || s.DeliveriesPerSecond[last] != 3 ||
			s.BacklogBytes[last] != 10*(HistorySamples+6) {
			t.Errorf("%d sessions, %v deliveries a second, a backlog of %d", s.Sessions[last], s.DeliveriesPerSecond[last],
				s.BacklogBytes[last])
		}
		if text, err := json.Marshal(m.History()); err != nil || len(text) > 16<<10 {
			t.Errorf("%d bytes of JSON, %v", len(text), err)
		}
	})
}

// A counter that rises is an event; what goes on is one; the newest stands first.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(2)
		m, pass := run(t, e, Info{})
		pass(0)
		if events := m.History().Events; len(events) != 0 {
			t.Errorf("nothing has happened: %+v", events)
		}
		e.change(func(s *loop.Stats) { s.Reactors[1].SlowReaders, s.RefusedPerIP = 2, 5 })
		pass(Every)
		first := m.Status().TakenAt.Truncate(time.Millisecond)
		e.change(func(s *loop.Stats) { s.Reactors[0].SlowReaders = 1 })
		pass(eventQuiet)
		want := []Event{
			{Kind: EventSlowReaders, From: first, To: first.Add(Every), Count: 3},
			{Kind: EventRefused, Cause: "connections_per_ip", From: first, To: first, Count: 5},
		}
		if got := m.History().Events; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		// After a rest the same is news again.
		pass(eventQuiet)
		e.change(func(s *loop.Stats) { s.RefusedPerIP = 6 })
		pass(Every)
		if got := m.History().Events; len(got) != 3 || got[0].Kind != EventRefused || got[0].Count != 1 ||
			got[0].From == first {
			t.Errorf("got %+v", got)
		}
	})
}

// Every counter and state that is an event has its kind.
func TestKindsOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(2)
		channel := atomic.Pointer[Channel]{}
		join := atomic.Pointer[ChannelJoin]{}
		var draining atomic.Bool
		m, pass := run(t, e, Info{Channel: channel.Load, ChannelJoin: join.Load, Draining: draining.Load})
		pass(0)
		for want, change := range map[Event]func(*loop.Stats){
			{Kind: EventSlowReaders, Count: 1}:                       func(s *loop.Stats) { s.Reactors[0].SlowReaders++ },
			{Kind: EventRateClosed, Count: 1}:                        func(s *loop.Stats) { s.Reactors[0].RateClosed++ },
			{Kind: EventIdleClosed, Count: 1}:                        func(s *loop.Stats) { s.Reactors[0].IdleClosed++ },
			{Kind: EventPanics, Count: 1}:                            func(s *loop.Stats) { s.Reactors[0].Panics++ },
			{Kind: EventCutSessions, Count: 1}:                       func(s *loop.Stats) { s.CutSessions++ },
			{Kind: EventMemoryClosed, Count: 1}:                      func(s *loop.Stats) { s.Memory.Closed++ },
			{Kind: EventOverloaded, Cause: "memory", Count: 1}:       func(s *loop.Stats) { s.Memory.RefusedPublications++ },
			{Kind: EventRefused, Cause: "memory", Count: 1}:          func(s *loop.Stats) { s.RefusedMemory++ },
			{Kind: EventAcceptErrors, Count: 1}:                      func(s *loop.Stats) { s.AcceptErrors++ },
			{Kind: EventOverloaded, Count: 1}:                        func(s *loop.Stats) { s.Overloaded++ },
			{Kind: EventRefused, Cause: "connections", Count: 1}:     func(s *loop.Stats) { s.RefusedConns++ },
			{Kind: EventRefused, Cause: "handshakes", Count: 1}:      func(s *loop.Stats) { s.RefusedHandshakes++ },
			{Kind: EventRefused, Cause: "draining", Count: 1}:        func(s *loop.Stats) { s.RefusedDraining++ },
			{Kind: EventCommandErrors, Cause: "bad_group", Count: 1}: func(s *loop.Stats) { s.Reactors[1].Errors[2]++ },
			{Kind: EventChannelDropped, Count: 1}:                    func(*loop.Stats) { channel.Store(&Channel{Dropped: 1}) },
			{
				Kind:  EventBadFrames,
				Count: 1,
			}: func(*loop.Stats) { channel.Store(&Channel{BadFrames: 1, Dropped: 1}) },
			{Kind: EventJoinLost}: func(*loop.Stats) { join.Store(&ChannelJoin{}) },
			{
				Kind:  EventNotForwarded,
				Count: 1,
			}: func(*loop.Stats) { join.Store(&ChannelJoin{Connected: true, NotForwarded: 1}) },
			{Kind: EventStalled, Cause: "1"}: func(s *loop.Stats) { s.Silence[1] = stalledAfter },
			{Kind: EventDraining}:            func(s *loop.Stats) { s.Silence[1] = 0; draining.Store(true) },
			{Kind: EventReload, Cause: "--log-level --max-conns"}: func(*loop.Stats) {
				m.Reloaded([]string{
					"--log-level",
					"--max-conns",
				})
			},
			{Kind: EventReloadRefused}: func(*loop.Stats) { m.ReloadRefused() },
		} {
			e.change(change)
			pass(Every)
			found := false
			for _, got := range m.History().Events {
				got.From, got.To = time.Time{}, time.Time{}
				found = found || got == want
			}
			if !found {
				t.Errorf("no %+v in %+v", want, m.History().Events)
			}
		}
	})
}

// A state is one event for as long as it lasts, with its beginning and its end.
func TestAStateIsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newFakeEngine(1)
		m, pass := run(t, e, Info{})
		e.change(func(s *loop.Stats) { s.Silence[0] = stalledAfter })
		pass(30 * Every)
		e.change(func(s *loop.Stats) { s.Silence[0] = 0 })
		pass(30 * Every)
		got := m.History().Events
		if len(got) != 1 || got[0].Kind != EventStalled || got[0].To.Sub(got[0].From) < 28*Every ||
			time.Since(got[0].To) < 29*Every {
			t.Errorf("%+v", got)
		}
	})
}

// However much happens, the number of events is bounded; the oldest go.
func TestEventsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, pass := run(t, newFakeEngine(1), Info{})
		pass(0)
		for i := range HistoryEvents + 5 {
			m.Reloaded([]string{fmt.Sprint("--flag-", i)})
		}
		got := m.History().Events
		if len(got) != HistoryEvents || got[0].Cause != fmt.Sprint("--flag-", HistoryEvents+4) {
			t.Errorf("%d events, the first %+v", len(got), got[0])
		}
	})
}
