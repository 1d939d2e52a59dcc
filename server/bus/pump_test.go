package bus

import (
	"slices"
	"testing"
)

// submits has the broker order a message for the group.
func (d *desk) submits(group string) {
	d.t.Helper()
	if _, err := d.b.engine.Publish(d.t.Context(), group, []byte("x")); err != nil {
		d.t.Fatal(err)
	}
}

// pumps starts the pump, and answers a channel that is closed when it has ended.
func (d *desk) pumps() <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.b.pump()
	}()
	return ended
}

// While the writer does not take what the pump has, it lags, and what the sink has no room for is told by its groups.
func TestPumpWaitsForTheWriter(t *testing.T) {
	d := newDesk(t)
	ended := d.pumps()
	d.submits("a")
	eventually(t, "a parcel", func() bool { return len(d.b.parcels) == 1 })
	if d.b.lag() != 0 {
		t.Error("it lags, and the writer has room")
	}
	d.submits("b")
	eventually(t, "the pump waits", func() bool { return d.b.lag() > 0 })
	for _, group := range []string{"c", "d", "e", "f"} { // of which the sink has room for two
		d.submits(group)
	}
	var got, missed []string
	for len(got) < 4 || len(missed) < 2 {
		switch p := <-d.b.parcels; {
		case p.message != nil:
			got = append(got, p.message.Group)
		case p.drained || p.missedAll:
			t.Fatalf("%+v", p)
		default:
			missed = append(missed, p.missed...)
		}
	}
	slices.Sort(missed)
	if want := []string{"a", "b", "c", "d"}; !slices.Equal(got, want) || !slices.Equal(missed, []string{"e", "f"}) {
		t.Errorf("got %q, missed %q", got, missed)
	}
	eventually(t, "the pump does not wait", func() bool { return d.b.lag() == 0 })
	d.b.cancel()
	<-ended
}

// The pump ends with the bus while it waits for the writer, too.
func TestPumpEnds(t *testing.T) {
	d := newDesk(t)
	ended := d.pumps()
	d.submits("a")
	d.submits("b")
	eventually(t, "the pump waits", func() bool { return d.b.lag() > 0 })
	d.b.cancel()
	<-ended
	if d.b.lag() == 0 {
		t.Error("a parcel has gone nowhere")
	}
}
