package loop

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestReconfigure: limits change under those who are there, and nobody is lost.
func TestReconfigure(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.MaxConnsPerIP, o.MaxMembers = 3, 3 })
	a, b := open(t, addr), open(t, addr)
	a.join("g", "h")
	b.join("g")
	o := *e.options()
	o.MaxGroupsPerSession, o.MaxMembers, o.MaxConnsPerIP, o.MaxMessageBytes = 1, 2, 2, 100
	if err := e.Reconfigure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	a.say(`{"cmd":"add_group","group_id":"third","req_id":1}`)
	a.wantError("too_many_groups", "1")
	connect(t, addr).wantUnavailable()
	a.say(`{"cmd":"send_to_group","group_id":"g","message":"still here"}`)
	a.want("still here")
	b.want("still here")
	if _, err := e.Publish(t.Context(), "g", make([]byte, 101)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	o.MaxConnsPerIP, o.MaxMembers = 3, 2
	if err := e.Reconfigure(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	c := open(t, addr)
	c.say(`{"cmd":"add_group","group_id":"g","req_id":2}`)
	c.wantError("overloaded", "2")
	o.MaxMessageBytes = 65536
	if err := e.Reconfigure(t.Context(), o); err != nil {
		t.Fatal(err)
	}

	bad := o
	bad.CloseAfter = bad.PingAfter
	bad.MaxGroups = 7
	if err := e.Reconfigure(t.Context(), bad); err == nil || e.options().MaxGroups == 7 {
		t.Errorf("%v, and MaxGroups is %d", err, e.options().MaxGroups)
	}
}

// TestReconfigureKeeps: what cannot change is named and kept; the rest changes.
func TestReconfigureKeeps(t *testing.T) {
	e := startAlone(t, nil)
	was := *e.options()
	o := was
	o.Loops, o.RingSlots, o.RingBytes, o.MaxGroupBytes, o.MaxRefusals, o.SendBufferBytes = 5, 16, 1<<20, 100, 7, 0
	o.MaxConnsPerIP, o.MaxMembers = 9, 9
	o.UncountedIPs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	o.MaxConns = 77
	err := e.Reconfigure(t.Context(), o)
	var fields []string
	for _, err := range flat(err) {
		if option, ok := errors.AsType[*OptionError](err); ok {
			fields = append(fields, option.Field)
		}
	}
	want := []string{
		"Loops", "RingSlots", "RingBytes", "MaxGroupBytes", "MaxRefusals", "SendBufferBytes",
		"MaxConnsPerIP", "MaxMembers",
	}
	if !slices.Equal(fields, want) {
		t.Errorf("named: %q, want %q", fields, want)
	}
	got := *e.options()
	if got.MaxConns != 77 {
		t.Error("MaxConns did not change")
	}
	if got.MaxConns = was.MaxConns; got.Loops != was.Loops || got.RingSlots != was.RingSlots ||
		got.RingBytes != was.RingBytes ||
		got.MaxGroupBytes != was.MaxGroupBytes || got.MaxRefusals != was.MaxRefusals ||
		got.SendBufferBytes != was.SendBufferBytes ||
		got.MaxConnsPerIP != 0 || got.MaxMembers != 0 || got.UncountedIPs != nil {
		t.Errorf("%+v", got)
	}

	// A message that no ring could hold may not come in through the back door.
	o = was
	o.MaxMessageBytes, o.RingBytes, o.MaxBacklogBytes = was.RingBytes+1, 4*was.RingBytes, 4*was.RingBytes
	if err := e.Reconfigure(t.Context(), o); err == nil || e.options().MaxMessageBytes != was.MaxMessageBytes {
		t.Errorf("%v, and MaxMessageBytes is %d", err, e.options().MaxMessageBytes)
	}
}

func flat(err error) []error {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, err := range list.Unwrap() {
			all = append(all, flat(err)...)
		}
		return all
	}
	return []error{err}
}

// TestReconfigureUnderLoad: for the race detector.
func TestReconfigureUnderLoad(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.MaxConnsPerIP = 100 })
	const n = 300
	member, publisher := open(t, addr), open(t, addr)
	member.join("g")
	done := make(chan struct{})
	var work errgroup.Group
	work.Go(func() error {
		for i := 0; ; i++ {
			select {
			case <-done:
				return nil
			case <-time.After(time.Millisecond):
			}
			o := *e.options()
			o.MaxConnsPerIP, o.MaxBacklogBytes, o.CommandRate = 50+i%50, 1<<20+i, float64(i%2)*1e6
			if err := e.Reconfigure(t.Context(), o); err != nil {
				return err
			}
		}
	})
	for range 20 {
		if _, err := open(t, addr).c.Write(closeFrame(1000, "")); err != nil {
			t.Fatal(err)
		}
	}
	if err := publish(publisher, 0, n, 10); err != nil {
		t.Fatal(err)
	}
	if texts, err := collect(member, n); err != nil || len(texts) != n {
		t.Fatal(len(texts), err)
	}
	close(done)
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
}
