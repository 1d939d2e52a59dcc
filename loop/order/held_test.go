package order

import (
	"testing"
	"unsafe"
)

// TestHeldCountsOnce: what waits in the rings of several loops is counted once, and so is
// what waits in the door and for a sink.
func TestHeldCountsOnce(t *testing.T) {
	const size, n = 10_000, 20
	stopped := make(chan struct{})
	defer close(stopped)
	ports := []*Port{NewPort(64, 1<<20, func() {}), NewPort(64, 1<<20, func() {})}
	b := NewBroker(ports, 64, 1<<20, stopped)
	messages := func(b *Broker) {
		for range n {
			m := NewMessage([]byte("g"), make([]byte, size), nil, true)
			m.Outside = &Outside{}
			if err := b.Submit(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	between := func(what string, low, high int64) {
		t.Helper()
		if got := b.Held(); got < low || got > high {
			t.Errorf("%s: %d bytes, want %d to %d", what, got, low, high)
		}
	}
	between("at the start", 0, 0)
	messages(b)
	between("in the door", n*size, n*(size+300))
	for b.takeOutside() && len(b.door.items) > 0 {
	}
	between("in two rings", n*size-2*tellBytes, n*(size+300))
	for _, p := range ports {
		for p.Take() != nil {
		}
		p.HandBack()
	}
	between("taken", 0, 0)
	sink := b.NewSink(SinkOptions{Name: "s", MaxMessages: 64, MaxBytes: 1 << 20})
	messages(b)
	for b.takeOutside() && len(b.door.items) > 0 {
	}
	for _, p := range ports {
		for p.Take() != nil {
		}
		p.HandBack()
	}
	between("for a sink", n*size, n*(size+300))
	sink.Close()
	between("without it", 0, 0)
}

// TestChunkHold: whoever keeps a chunk first counts it, whoever lets go of it last takes it
// off, and the parts of a publication share a frame.
func TestChunkHold(t *testing.T) {
	m := NewMessage([]byte("group"), []byte("payload"), nil, true)
	frame := len(m.Frame.Buf)
	steps := []int{m.Frame.Hold(), m.Frame.Hold(), m.Frame.LetGo(), m.Frame.LetGo(), m.Frame.Hold()}
	all := frame + len("group") + Overhead
	for i, want := range []int{all, 0, 0, all, all} {
		if steps[i] != want {
			t.Errorf("shared, step %d: %d, want %d", i, steps[i], want)
		}
	}
	batch := &Chunk{Kind: ChunkBatch, Buf: append(make([]byte, 0, 10_000), "12345"...)}
	if n := batch.Hold(); n != 5+Overhead || cap(batch.Buf) > 100 || !batch.Retained() {
		t.Errorf("batch: %d, with %d bytes behind it", n, cap(batch.Buf))
	}
	if n := batch.Hold() + batch.LetGo(); n != 0 {
		t.Errorf("batch, a second one: %d", n)
	}
	if n := batch.LetGo(); n != 5+Overhead || !batch.Retained() {
		t.Errorf("batch, the last: %d", n)
	}
	private := &Chunk{Kind: ChunkPrivate, Buf: []byte("12345")}
	if n := private.Grew(3); n != 0 {
		t.Errorf("private, not held: %d", n)
	}
	if n := private.Hold() + private.Grew(7) + private.Grew(-2); n != 10+Overhead {
		t.Errorf("private: %d", n)
	}
	if n := private.LetGo(); n != 10+Overhead {
		t.Errorf("private, let go: %d", n)
	}

	stopped := make(chan struct{})
	defer close(stopped)
	p := NewPort(64, 1<<20, func() {})
	b := NewBroker([]*Port{p}, 64, 1<<20, stopped)
	many := NewMessage([]byte("a"), make([]byte, 3000), nil, true)
	many.Outside = &Outside{}
	many.AddGroup("b")
	many.AddGroup("c")
	if err := b.Submit(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	b.takeOutside()
	sum := 0
	for m := p.Take(); m != nil; m = p.Take() {
		sum += m.Frame.Hold()
	}
	if want := len(many.Frame.Buf)/3*3 + 3*(1+Overhead); sum != want {
		t.Errorf("a publication to three groups: %d, want %d", sum, want)
	}
}

// TestMessageSize: a Message fills one of Go's size classes; one byte more is 16 more each.
func TestMessageSize(t *testing.T) {
	if size := unsafe.Sizeof(Message{}); unsafe.Sizeof(uintptr(0)) == 8 && size > 128 {
		t.Errorf("a message is %d bytes", size)
	}
}
