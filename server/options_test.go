package server

import (
	"testing"
	"time"

	"groupcast/loop"
	"groupcast/server/workerman"
)

// The settings' own tests are in package settings. Here: what becomes of them.

func TestLoopOptions(t *testing.T) {
	o := DefaultOptions()
	o.MaxMessageBytes, o.Drain, o.Loops, o.Bus.JoinWait = 7, 33*time.Second, 5, 7*time.Second
	got := loopOptions(o, 77)
	if got.MaxMessageBytes != 7 || got.MaxConns != 77 || got.Loops != 5 || got.CloseLimit != o.Drain ||
		got.JoinWait != o.Bus.JoinWait {
		t.Errorf("%+v", got)
	}
	if o.Loops = 0; loopOptions(o, 77).Loops < 1 {
		t.Error("0 loops")
	}
	// A close handshake outside a drain ends when a drain would.
	if got := loop.DefaultOptions().CloseLimit; got != DefaultOptions().Drain {
		t.Errorf("the loops' default is %s, that of --drain %s", got, DefaultOptions().Drain)
	}
}

// A batch holds two messages at least, unless it is said what it holds.
func TestAPILimits(t *testing.T) {
	o := DefaultOptions()
	for _, c := range []struct{ message, batch, want int }{
		{64 << 10, 0, 1 << 20}, {1 << 20, 0, 2 << 20}, {1 << 30, 0, 1 << 30}, {64 << 10, 64 << 10, 64 << 10},
	} {
		o.MaxMessageBytes, o.APILimits.MaxBatchBytes = c.message, c.batch
		if got := apiLimits(o, 1<<20); got.MaxBatchBytes != c.want || got.MaxMessageBytes != c.message ||
			got.Validate() != nil {
			t.Errorf("%+v: got %+v, %v", c, got, got.Validate())
		}
	}
}

// What both sides of a Channel connection have is set once.
func TestJoinOptions(t *testing.T) {
	o := DefaultOptions()
	o.ChannelJoin = "unix:/x"
	want := workerman.DefaultClientOptions()
	want.Address = "unix:/x"
	if got := joinOptions(o); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	o.ChannelServer.MaxFrameBytes, o.ChannelServer.SendBufferBytes, o.ChannelServer.PublishTimeout = 1000, 1001, 1002
	o.ChannelServer.SinkMessages, o.ChannelServer.SinkBytes = 1003, 1004
	got := joinOptions(o)
	if got.MaxFrameBytes != 1000 || got.SendBufferBytes != 1001 || got.PublishTimeout != 1002 ||
		got.SinkMessages != 1003 || got.SinkBytes != 1004 {
		t.Errorf("got %+v", got)
	}
}
