package main

import (
	"context"
	"time"
)

// publisher sends to groups in turn. What the server says to it is read and dropped.
// Owner: the run.
type publisher struct {
	*client
	before, behind []string
	numbers        []uint32
	size           int
	sent           int
	text           []byte
}

func newPublisher(ctx context.Context, address string, d *dialect, groups []string, size int) (*publisher, error) {
	c, err := dial(ctx, address, d)
	if err != nil {
		return nil, err
	}
	p := &publisher{client: c, numbers: make([]uint32, len(groups)), size: size}
	for _, group := range groups {
		before, behind := d.publish(group)
		p.before, p.behind = append(p.before, before), append(p.behind, behind)
	}
	go func() { // until it is closed
		for {
			text, err := c.next()
			if err != nil || d.payloads(c, text, func([]byte) {}) != nil {
				return
			}
		}
	}()
	return p, nil
}

// put adds the next message to what flush writes.
func (p *publisher) put() {
	i := p.sent % len(p.numbers)
	p.numbers[i]++
	p.sent++
	p.text = append(p.text[:0], p.before[i]...)
	p.text = appendPayload(p.text, p.numbers[i], clock(), p.size)
	p.client.put(append(p.text, p.behind[i]...))
}

// pace is how messages are sent: so many a second, those of a millisecond in one write.
func (p *publisher) pace(ctx context.Context, rate float64, duration time.Duration) error {
	start := time.Now()
	first := p.sent
	for {
		passed := time.Since(start)
		due := first + int(min(passed, duration).Seconds()*rate)
		for p.sent < due {
			p.put()
		}
		if err := p.flush(); err != nil {
			return err
		}
		if passed >= duration || ctx.Err() != nil {
			return ctx.Err()
		}
		tick := max(time.Millisecond, time.Duration(float64(time.Second)/rate))
		time.Sleep(time.Until(start.Add(passed.Truncate(tick) + tick)))
	}
}
