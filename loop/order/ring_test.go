package order

import (
	"runtime"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// sized makes a message that counts n bytes more than the overhead.
func sized(n int, order uint64) *Message {
	m := &Message{}
	m.Frame.Buf, m.Frame.First = make([]byte, n), order
	return m
}

// TestRingModel runs random operations against a ring and against the obvious
// slice; whatever the slice says must be what the ring does.
func TestRingModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := 1 << rapid.IntRange(0, 4).Draw(t, "slots")
		maxBytes := rapid.IntRange(Overhead+1, 6*Overhead).Draw(t, "bytes")
		ring := newRing(slots, maxBytes)
		var held []*Message // pushed and not released
		popped, bytes := 0, 0
		order := uint64(0)
		for range rapid.IntRange(0, 200).Draw(t, "operations") {
			switch rapid.IntRange(0, 3).Draw(t, "operation") {
			case 0, 1:
				order++
				m := sized(rapid.IntRange(0, 3*Overhead).Draw(t, "size"), order)
				fits := len(held) < slots && bytes+m.Size() <= maxBytes
				if got := ring.room(uint64(m.Size())); got != fits {
					t.Fatalf("room: %v, want %v", got, fits)
				}
				if got := ring.push(m); got != fits {
					t.Fatalf("push: %v, want %v", got, fits)
				}
				if fits {
					held = append(held, m)
					bytes += m.Size()
				}
			case 2:
				var want *Message
				if popped < len(held) {
					want = held[popped]
				}
				if got := ring.empty(); got != (want == nil) {
					t.Fatalf("empty: %v", got)
				}
				if got := ring.pop(); got != want {
					t.Fatalf("pop: %v, want %v", got, want)
				}
				if want != nil {
					popped++
				}
			case 3:
				if got := ring.release(); got != (popped > 0) {
					t.Fatalf("release: %v with %d popped", got, popped)
				}
				for _, m := range held[:popped] {
					bytes -= m.Size()
				}
				held, popped = held[popped:], 0
			}
			if ring.len() != len(held) {
				t.Fatalf("len: %d, want %d", ring.len(), len(held))
			}
		}
	})
}

// TestRingClearsSlots: what was popped is the garbage collector's.
func TestRingClearsSlots(t *testing.T) {
	ring := newRing(4, 1<<20)
	for range 3 {
		ring.push(sized(1, 1))
	}
	for range 3 {
		ring.pop()
	}
	for i, m := range ring.slots {
		if m != nil {
			t.Errorf("slot %d still holds its message", i)
		}
	}
}

// TestRingConcurrent: one producer, one consumer, nothing lost or reordered,
// bounds kept, at the smallest sizes and under the race detector.
func TestRingConcurrent(t *testing.T) {
	const n = 20_000
	for _, slots := range []int{1, 2, 64} {
		for _, maxBytes := range []int{Overhead + 8, 3 * Overhead, 1 << 20} {
			ring := newRing(slots, maxBytes)
			var producer sync.WaitGroup
			producer.Go(func() {
				for i := range uint64(n) {
					m := sized(int(i%8), i+1)
					for !ring.push(m) {
						runtime.Gosched()
					}
				}
			})
			for want := uint64(1); want <= n; {
				m := ring.pop()
				if m == nil {
					ring.release()
					runtime.Gosched()
					continue
				}
				if m.Order() != want {
					t.Fatalf("slots %d: got %d, want %d", slots, m.Order(), want)
				}
				if held := ring.len(); held > slots {
					t.Fatalf("%d items in %d slots", held, slots)
				}
				if want%3 == 0 {
					ring.release()
				}
				want++
			}
			producer.Wait()
		}
	}
}

// BenchmarkRing: push and pop on one goroutine, the instructions alone.
func BenchmarkRing(b *testing.B) {
	ring := newRing(1024, 16<<20)
	m := sized(100, 1)
	for b.Loop() {
		ring.push(m)
		ring.pop()
		ring.release()
	}
}

// TestRingHeld: what others are told of a ring's bytes is behind by less than tellBytes.
func TestRingHeld(t *testing.T) {
	ring := newRing(1024, 16<<20)
	for i := range 900 {
		if !ring.push(sized(1000, uint64(i))) {
			t.Fatal("no room")
		}
		if n, want := ring.held(), int64(i+1)*(1000+Overhead); n > want || n <= want-tellBytes-1000-Overhead {
			t.Fatalf("%d bytes of %d", n, want)
		}
	}
	for range 900 {
		ring.pop()
	}
	ring.release()
	if n := ring.held(); n != 0 {
		t.Errorf("%d bytes in an empty ring", n)
	}
}
