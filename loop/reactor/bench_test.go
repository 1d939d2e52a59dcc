package reactor

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/sys/unix"

	"groupcast/loop/order"
	"groupcast/protocol"
)

const benchText = `{"cmd":"send_to_group","group_id":"123","message":"` +
	`0123456789012345678901234567890123456789012345678901234567890123456789` + `"}`

// BenchmarkPublish: a command's frame in the loop's buffer to the ring.
func BenchmarkPublish(b *testing.B) {
	e := startSim(b, func(o *Options) { o.RingSlots = 1 << 16 })
	r := e.reactors[0]
	frame := ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(benchText))))
	buf := make([]byte, len(frame))
	onLoop(b, r, func() {
		r.sink()
		s := r.simulate(1, protocol.ModeBare)[0]
		b.ReportAllocs()
		for b.Loop() {
			copy(buf, frame)
			r.read(s, buf)
		}
	})
}

// BenchmarkDeliver: batches to simulated members, whose writes cost nothing, so
// what is left is marking and the loop's share of flushing. The unit is one
// delivery.
func BenchmarkDeliver(b *testing.B) {
	const batch = 64
	for _, c := range []struct{ groups, members int }{{1, 1000}, {1, 19_000}, {64, 10}, {64, 1000}} {
		for _, mode := range []protocol.Mode{protocol.ModeBare, protocol.ModeEnvelope} {
			b.Run(fmt.Sprintf("groups=%d/members=%d/mode=%d", c.groups, c.members, mode), func(b *testing.B) {
				e := startSim(b, nil)
				r := e.reactors[0]
				onLoop(b, r, func() {
					r.sink()
					ms := make([]*order.Message, batch)
					for g := range c.groups {
						for _, s := range r.simulate(c.members, mode) {
							s.joinAs(fmt.Sprint(g))
						}
					}
					for i := range ms {
						ms[i] = textMessage(fmt.Sprint(i%c.groups), benchText)
					}
					b.ReportAllocs()
					before := r.stats.Deliveries
					for b.Loop() {
						r.inject(ms...)
						r.deliverAll()
					}
					n := float64(r.stats.Deliveries - before)
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/delivery")
				})
			})
		}
	}
}

// BenchmarkJoinLeave: one session in and out of a group of the given size.
func BenchmarkJoinLeave(b *testing.B) {
	for _, members := range []int{0, 1000, 1_000_000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			e := startSim(b, nil)
			r := e.reactors[0]
			onLoop(b, r, func() {
				for _, s := range r.simulate(members, protocol.ModeBare) {
					s.joinAs("g")
				}
				s := r.simulate(1, protocol.ModeBare)[0]
				b.ReportAllocs()
				for b.Loop() {
					s.joinAs("g")
					r.leaveAll(s)
				}
			})
		})
	}
}

// BenchmarkGroupMap: finding one of a million groups.
func BenchmarkGroupMap(b *testing.B) {
	m := newGroupMap()
	names := make([][]byte, 1_000_000)
	for i := range names {
		names[i] = fmt.Appendf(nil, "group-%d", i)
		m.add(string(names[i]))
	}
	i := 0
	for b.Loop() {
		i = (i + 7919) % len(names)
		if m.findBytes(names[i]) == nil {
			b.Fatal("lost")
		}
	}
}

// BenchmarkHop: one message at a time from a loop through the broker back to
// all loops, with one member each: the price of the one order, in latency.
func BenchmarkHop(b *testing.B) {
	for _, loops := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("loops=%d", loops), func(b *testing.B) {
			e := startSim(b, func(o *Options) { o.Loops = loops })
			var arrived atomic.Int64
			done := make(chan struct{}, 1)
			for _, r := range e.reactors {
				onLoop(b, r, func() {
					r.simulate(1, protocol.ModeBare)[0].joinAs("g")
					r.write = func(_ int32, p []byte) (int, unix.Errno) {
						if arrived.Add(1)%int64(loops) == 0 {
							done <- struct{}{}
						}
						return len(p), 0
					}
				})
			}
			r := e.reactors[0]
			send := runnable(func() { r.publish(textMessage("g", benchText)); r.settle() })
			b.ReportAllocs()
			for b.Loop() {
				if err := r.execute(send); err != nil {
					b.Fatal(err)
				}
				<-done
			}
		})
	}
}

// BenchmarkMillion: simulated sessions in one reactor, each in one group of a
// thousand and all in one: memory a session, garbage collection, and one
// message to everybody. Sockets are not part of it.
func BenchmarkMillion(b *testing.B) {
	for _, n := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("sessions=%d", n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			e := startSim(b, nil)
			r := e.reactors[0]
			onLoop(b, r, func() {
				r.sink()
				for i, s := range r.simulate(n, protocol.ModeBare) {
					s.joinAs("all")
					s.joinAs(fmt.Sprint(i / 1000))
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				bytes := float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
				m := textMessage("all", benchText)
				for b.Loop() {
					r.inject(m)
					r.deliverAll()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
				b.ReportMetric(bytes, "B/session")
				runtime.ReadMemStats(&before)
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.PauseTotalNs-before.PauseTotalNs)/1e3, "µs-GC-pause")
			})
		})
	}
}

// BenchmarkJoinAcked: one session in and out of a group by commands that want an ack, without a
// cluster and in one that covers the group.
func BenchmarkJoinAcked(b *testing.B) {
	for name, state := range map[string]Coverage{"off": CoverageOff, "on": CoverageOn} {
		b.Run(name, func(b *testing.B) {
			e := startSim(b, nil)
			r := e.reactors[0]
			for i := range 100_000 {
				e.shared.Coverage.Cover([]string{fmt.Sprint("g", i)})
			}
			e.shared.Coverage.Set(state)
			onLoop(b, r, func() {
				r.sink()
				r.simulate(1, protocol.ModeBare)[0].joinAs("g1")
				s := r.simulate(1, protocol.ModeBare)[0]
				group, reqID := []byte("g1"), []byte("7")
				b.ReportAllocs()
				for b.Loop() {
					r.join(s, group, reqID)
					r.leaveAll(s)
					if s.backlog > 4096 {
						r.flushAll()
					}
				}
				r.flushAll()
			})
		})
	}
}
