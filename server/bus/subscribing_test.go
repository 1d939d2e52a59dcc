package bus

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"groupcast/server/bus/interest"
)

// came are the subjects of what comes to the node when the others publish under these subjects.
func (d *desk) came(subjects ...string) (got []string) {
	d.t.Helper()
	if err := d.b.conn.Load().Flush(); err != nil { // the server knows the subscriptions
		d.t.Fatal(err)
	}
	for _, to := range subjects {
		if err := d.others.Publish("groupcast."+to, nil); err != nil {
			d.t.Fatal(err)
		}
	}
	if err := d.others.Flush(); err != nil {
		d.t.Fatal(err)
	}
	if err := d.b.conn.Load().Flush(); err != nil { // it has sent what came before
		d.t.Fatal(err)
	}
	for len(d.b.in) > 0 {
		got = append(got, (<-d.b.in).Subject[len("groupcast."):])
	}
	return got
}

// What is subscribed to is what interest asks for, by each connection.
func TestSubscriptions(t *testing.T) {
	d := newDesk(t)
	d.comes()
	fixed := []string{"m", "n.all", "n.web-1", "u.7"}
	try := slices.Concat(fixed, []string{"g.a", "g.b", "g.c", "n.web-2"})
	steps := []struct {
		batch interest.Batch
		want  []string
	}{
		{interest.Batch{}, nil},
		{interest.Batch{Subscribe: []string{"a", "b"}}, []string{"g.a", "g.b"}},
		{interest.Batch{Subscribe: []string{"a"}}, []string{"g.a", "g.b"}}, // not twice
		{interest.Batch{Unsubscribe: []string{"a", "never"}}, []string{"g.b"}},
		{interest.Batch{WildcardOn: true, Switching: true}, []string{"g.a", "g.b", "g.b", "g.c"}},
		{interest.Batch{WildcardOn: true}, []string{"g.a", "g.b", "g.b", "g.c"}},
		{interest.Batch{Unsubscribe: []string{"b"}, Switched: true}, []string{"g.a", "g.b", "g.c"}},
		{interest.Batch{Subscribe: []string{"c"}}, []string{"g.a", "g.b", "g.c", "g.c"}},
		{interest.Batch{WildcardOff: true}, []string{"g.c"}},
	}
	for i, step := range steps {
		d.subscribe(step.batch)
		want := slices.Concat(fixed, step.want)
		if got := d.came(try...); !slices.Equal(got, want) {
			t.Errorf("step %d: got %q, want %q", i, got, want)
		}
		d.connect()
		if i%2 == 0 { // who takes the name has subscribed to it
			conn := d.b.conn.Load()
			if _, err := conn.ChanSubscribe(d.b.subjects.own, d.b.in); err != nil {
				t.Fatal(err)
			}
			d.b.listening.Store(conn)
		}
		d.comes()
		if got := d.came(try...); !slices.Equal(got, want) {
			t.Errorf("step %d, the next connection: got %q, want %q", i, got, want)
		}
	}
}

// A marker stands behind the subscriptions, is told of in front, and is flushed behind.
func TestMarkerBehindSubscriptions(t *testing.T) {
	d := newDesk(t)
	d.comes()
	for len(d.b.told) > 0 {
		<-d.b.told
	}
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0))
	d.subscribe(interest.Batch{Subscribe: []string{"a"}})
	d.wants()
	d.subscribe(interest.Batch{Subscribe: []string{"b"}, Marker: 5})
	d.wants(fmt.Sprintf("n.all marker: %d", d.b.markerID(5, false)))
	if got := <-d.b.told; got != (told{kind: toldMarker, number: 5}) {
		t.Errorf("told %+v", got)
	}
	if got := <-d.b.flushes; got != (flush{marker: 5}) {
		t.Errorf("to be flushed: %+v", got)
	}
	// On a connection that has ended, it is given up.
	d.b.conn.Load().Close()
	d.subscribe(interest.Batch{Marker: 6})
	if d.at != stageAway || len(d.b.flushes) != 0 {
		t.Errorf("stage %d, %d to be flushed", d.at, len(d.b.flushes))
	}
}

// The end of a change is told when the confirmer has room for it, and which change it was.
func TestSwitchedIsToldLater(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.subscribe(interest.Batch{Switching: true, WildcardOn: true, Marker: 1})
	if got := d.b.switching.Load(); got != 1 {
		t.Errorf("change %d", got)
	}
	d.subscribe(interest.Batch{Switched: true}) // there is no room behind the marker
	if got := <-d.b.flushes; got != (flush{marker: 1}) {
		t.Errorf("to be flushed: %+v", got)
	}
	d.subscribe(interest.Batch{})
	if got := <-d.b.flushes; got != (flush{switched: 1}) {
		t.Errorf("to be flushed: %+v", got)
	}
	d.subscribe(interest.Batch{})
	if len(d.b.flushes) != 0 {
		t.Error("told twice")
	}
	d.subscribe(interest.Batch{Switching: true, Switched: true, WildcardOff: true})
	if got := <-d.b.flushes; got != (flush{switched: 2}) || d.b.switching.Load() != 2 {
		t.Errorf("to be flushed: %+v, change %d", got, d.b.switching.Load())
	}
}

// What could not be subscribed to is by the next connection.
func TestSubscribingFails(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.b.conn.Load().Close()
	d.subscribe(interest.Batch{Subscribe: []string{"a"}, Marker: 3})
	if d.at != stageAway {
		t.Fatalf("stage %d", d.at)
	}
	for len(d.b.told) > 0 {
		if got := <-d.b.told; got.kind == toldMarker {
			t.Error("a marker is told of behind what is not subscribed to")
		}
	}
	d.connect()
	d.comes()
	if got := d.came("g.a", "g.b"); !slices.Equal(got, []string{"g.a"}) {
		t.Errorf("got %q", got)
	}
	d.b.conn.Load().Close()
	d.subscribe(interest.Batch{WildcardOn: true})
	d.connect()
	d.comes()
	if got := d.came("g.a", "g.b"); !slices.Equal(got, []string{"g.a", "g.a", "g.b"}) {
		t.Errorf("got %q", got)
	}
}

// A connection that does not take all of it is not used.
func TestArrivesWithAllOrNot(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.subscribe(interest.Batch{Subscribe: []string{"a"}, WildcardOn: true})
	d.connect()
	ended := d.b.conn.Load()
	ended.Close()
	d.look()
	if d.at != stageAway {
		t.Fatalf("stage %d", d.at)
	}
	if err := ended.Publish("x", nil); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("got %v", err)
	}
	d.look() // and it is still the same one
	d.connect()
	d.comes()
	if got := d.came("g.a", "m"); !slices.Equal(got, []string{"g.a", "g.a", "m"}) {
		t.Errorf("got %q", got)
	}
}
