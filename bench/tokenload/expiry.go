package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// What the wire's contract says of a token that is over.
const (
	warnedBefore = 30 * time.Second // and up to spread more
	closedAfter  = 30 * time.Second
	spread       = 5 * time.Second
)

// connecting is the time that the crowd has to come in before it is warned.
const connecting = 10 * time.Second

// crowd are the sessions whose tokens are over at the same moment.
// Owner: the run; its fields are the sessions' readers' under mu.
type crowd struct {
	began   time.Time
	key     key
	address string

	mu      sync.Mutex
	warned  []time.Duration
	renewed []time.Duration // how long each renewal took
	closed  []time.Duration
	back    []time.Duration // how long each took to come back
	strange []string
	open    []*websocket.Conn
}

// expiry has the tokens of a crowd end in the same second. One in five renews its token when it is warned; the others
// are closed, and come back with a new one at once.
func expiry(ctx context.Context, c *conditions) (o outcome, err error) {
	o.Scenario = "expiry"
	o.Text = fmt.Sprintf("%s sessions whose tokens end in the same second; one in five renews when it is warned, "+
		"the others are closed and come back at once with a new token", group(c.Crowd))
	k := newSecret()
	file, remove, err := scratch(k)
	if err != nil {
		return o, err
	}
	defer remove()
	sign := func(user string, until time.Time, groups ...string) string {
		text, err := k.sign(user, until, groups...)
		if err != nil {
			panic(err) // HMAC of a text
		}
		return text
	}
	later := time.Now().Add(time.Hour)
	w, err := startWatched(ctx, c, func(i int) string { return sign("live-"+strconv.Itoa(i), later) },
		"--token-key-file", file)
	if err != nil {
		return o, err
	}
	defer w.stop()
	all := crowd{began: time.Now(), key: k, address: w.address}
	end := all.began.Add(connecting + warnedBefore + spread).Truncate(time.Second)
	came := arrive(ctx, w.address, c.Crowd, c.AtOnce, patience, func(i int) string {
		return sign(strconv.Itoa(i), end, "crowd:"+strconv.Itoa(i%100))
	})
	n, last := in(came)
	if n != c.Crowd || last > connecting {
		return o, fmt.Errorf("%d of %d came in, the last after %v: wants all within %v", n, c.Crowd, last, connecting)
	}
	w.live.phase()
	var readers sync.WaitGroup
	for i, a := range came {
		readers.Go(func() { all.follow(ctx, i, a.conn, sign(strconv.Itoa(i), later)) })
	}
	time.Sleep(time.Until(end))
	renewing := w.live.phase()
	time.Sleep(time.Until(end.Add(closedAfter + 2*spread)))
	closing := w.live.phase()
	leave(came)
	all.leave()
	readers.Wait()
	o.seconds("connected within", last)
	all.tell(&o, c.Crowd, end)
	o.millis("live members' p99, calm", w.calm)
	o.millis("live members' p99, while it is warned and renews", renewing)
	o.millis("live members' p99, while it is closed and comes back", closing)
	o.judge(w.live)
	return o, nil
}

// follow reads what session i is told, and does what its client would.
func (all *crowd) follow(ctx context.Context, i int, c *websocket.Conn, next string) {
	var asked time.Time
	for {
		_, text, err := c.Read(context.Background())
		now := time.Since(all.began)
		all.mu.Lock()
		var h heard
		switch {
		case websocket.CloseStatus(err) == websocket.StatusPolicyViolation:
			all.closed = append(all.closed, now)
			all.mu.Unlock()
			all.comeBack(ctx, i, next)
			return
		case err != nil: // the end of the run
		case json.Unmarshal(text, &h) == nil && h.Type == "expiring":
			all.warned = append(all.warned, now)
		case h.Type == "ack":
			all.renewed = append(all.renewed, time.Since(asked))
		default:
			all.strange = append(all.strange, string(text))
		}
		all.mu.Unlock()
		if err != nil {
			return
		}
		if h.Type == "expiring" && i%5 == 0 {
			asked = time.Now()
			command := `{"cmd":"auth","token":"` + next + `","req_id":1}`
			_ = c.Write(context.Background(), websocket.MessageText, []byte(command)) // its reader would know
		}
	}
}

func (all *crowd) comeBack(ctx context.Context, i int, token string) {
	began := time.Now()
	for time.Since(began) < patience {
		c, _, err := connect(ctx, all.address, token, i)
		if err != nil {
			time.Sleep(retryAfter)
			continue
		}
		all.mu.Lock()
		all.back, all.open = append(all.back, time.Since(began)), append(all.open, c)
		all.mu.Unlock()
		return
	}
}

func (all *crowd) leave() {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, c := range all.open {
		_ = c.CloseNow()
	}
}

// tell adds what became of the crowd.
func (all *crowd) tell(o *outcome, n int, end time.Time) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, times := range [][]time.Duration{all.warned, all.renewed, all.closed, all.back} {
		slices.Sort(times)
	}
	renewing := (n + 4) / 5
	over := end.Sub(all.began)
	o.want("warned", len(all.warned), n)
	o.want("renewed, and stayed", len(all.renewed), renewing)
	o.want("closed with 1008", len(all.closed), n-renewing)
	o.want("came back", len(all.back), n-renewing)
	o.want("other messages", len(all.strange), 0)
	if len(all.warned) == 0 || len(all.renewed) == 0 || len(all.closed) == 0 || len(all.back) == 0 {
		return
	}
	o.seconds("first warning before exp", over-all.warned[0])
	o.seconds("last warning before exp", over-all.warned[len(all.warned)-1])
	o.count("warnings in the busiest second", busiest(all.warned, time.Second))
	o.millis("a renewal takes, p50", percentile(all.renewed, 50))
	o.millis("a renewal takes, p99", percentile(all.renewed, 99))
	o.seconds("first closed after exp", all.closed[0]-over)
	o.seconds("last closed after exp", all.closed[len(all.closed)-1]-over)
	o.count("closed in the busiest second", busiest(all.closed, time.Second))
	o.count("closed in the busiest tenth of a second", busiest(all.closed, time.Second/10))
	o.millis("coming back takes, p50", percentile(all.back, 50))
	o.millis("coming back takes, p99", percentile(all.back, 99))
}

// busiest is how many of the sorted times are within one span, at most.
func busiest(times []time.Duration, within time.Duration) (most int) {
	first := 0
	for i, at := range times {
		for at-times[first] >= within {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// percentile is that of sorted times.
func percentile(times []time.Duration, p int) time.Duration {
	return times[min(len(times)-1, len(times)*p/100)]
}
