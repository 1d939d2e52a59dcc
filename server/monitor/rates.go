package monitor

import (
	"time"

	"groupcast/loop"
)

// reactorState is what is known of one reactor.
// Owner: the sampling goroutine.
type reactorState struct {
	stats   loop.ReactorStats // its last answer
	at      time.Time         // when that was asked for
	rates   rates             // between its last two answers
	known   bool              // it has answered at least once
	stalled bool
}

// rates are a second's worth of what is counted.
type rates struct {
	busy                                    float64 // share of the time, 0 to 1
	messages, deliveries, bytesIn, bytesOut float64
}

// update takes in an answer.
func (r *reactorState) update(now *loop.ReactorStats, at time.Time) {
	if seconds := at.Sub(r.at).Seconds(); r.known && seconds > 0 {
		per := func(before, after uint64) float64 { return float64(after-before) / seconds }
		working := func(s *loop.ReactorStats) float64 { return float64(s.BusyNanos) - float64(s.BlockedNanos) }
		r.rates = rates{
			busy:       min(max((working(now)-working(&r.stats))/1e9/seconds, 0), 1),
			messages:   per(r.stats.Messages, now.Messages),
			deliveries: per(r.stats.Deliveries, now.Deliveries),
			bytesIn:    per(r.stats.BytesIn, now.BytesIn),
			bytesOut:   per(r.stats.BytesOut, now.BytesOut),
		}
	}
	r.stats, r.at, r.known = *now, at, true
}

// describe is the reactor as it is shown, without its latency.
func (r *reactorState) describe(index int, draining bool) Reactor {
	d := shown(&r.stats)
	d.Index, d.State = index, StateOK
	if draining {
		d.State = StateDraining
	}
	if r.stalled {
		d.State = StateStalled
		return d // whatever it is doing, it is not what it did last
	}
	d.Busy = r.rates.busy
	d.MessagesPerSecond = r.rates.messages
	d.DeliveriesPerSecond = r.rates.deliveries
	d.BytesInPerSecond = r.rates.bytesIn
	d.BytesOutPerSecond = r.rates.bytesOut
	return d
}

// shown are those of the counters that are shown.
func shown(s *loop.ReactorStats) Reactor {
	return Reactor{
		Sessions:        s.Sessions,
		Groups:          s.Groups,
		Memberships:     s.Memberships,
		Messages:        s.Messages,
		Deliveries:      s.Deliveries,
		BytesIn:         s.BytesIn,
		BytesOut:        s.BytesOut,
		Errors:          s.Errors.Sum(),
		SlowReaders:     s.SlowReaders,
		BacklogSessions: s.BacklogSessions,
		BacklogBytes:    s.BacklogBytes,
		RingDepth:       s.EgressLen,
		RingFull:        s.RingFull,
	}
}

// sumUp is the row below the reactors. Its state is the worst of theirs. Deliveries add
// up; messages do not: every reactor takes every one of them, so that the sum of what is
// published would grow with the number of loops.
func sumUp(reactors []Reactor, stats *loop.Stats) Reactor {
	sum := stats.Sum()
	total := shown(&sum)
	total.Index, total.State, total.Messages = -1, StateOK, 0
	if stats.Draining {
		total.State = StateDraining
	}
	for i := range reactors {
		r := &reactors[i]
		if r.State == StateStalled {
			total.State = StateStalled
		}
		total.Busy += r.Busy / float64(len(reactors))
		total.Messages = max(total.Messages, r.Messages)
		total.MessagesPerSecond = max(total.MessagesPerSecond, r.MessagesPerSecond)
		total.DeliveriesPerSecond += r.DeliveriesPerSecond
		total.BytesInPerSecond += r.BytesInPerSecond
		total.BytesOutPerSecond += r.BytesOutPerSecond
	}
	return total
}

// pastLatency is the state of the reactors' latency histograms at one time.
type pastLatency struct {
	at         time.Time
	histograms []loop.Histogram
}

// addLatencies remembers the histograms as they are now, and puts into reactors
// and total what has come to them over the last latencyOver.
func (m *Monitor) addLatencies(stats *loop.Stats, reactors []Reactor, total *Reactor) {
	now := pastLatency{stats.Taken, make([]loop.Histogram, len(stats.Reactors))}
	for i := range stats.Reactors {
		now.histograms[i] = stats.Reactors[i].Latency
	}
	if len(now.histograms) > 0 {
		m.window = append(m.window, now)
	}
	for len(m.window) > 1 && stats.Taken.Sub(m.window[1].at) >= latencyOver {
		m.window = m.window[1:]
	}
	var all loop.Histogram
	for i := range now.histograms {
		recent := now.histograms[i]
		recent.Sub(&m.window[0].histograms[i])
		all.Add(&recent)
		reactors[i].LatencyP50, reactors[i].LatencyP99 = seconds(&recent, 0.5), seconds(&recent, 0.99)
	}
	total.LatencyP50, total.LatencyP99 = seconds(&all, 0.5), seconds(&all, 0.99)
}

// seconds is a quantile of a histogram of microseconds.
func seconds(h *loop.Histogram, q float64) float64 { return float64(h.Quantile(q)) / 1e6 }
