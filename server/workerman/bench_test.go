package workerman

import (
	"fmt"
	"testing"

	"groupcast/protocol/workerman"
)

// BenchmarkPublish is an event to 1,000 subscribers, without the network.
func BenchmarkPublish(b *testing.B) {
	opt := DefaultOptions()
	h := newHub(&opt, NewNode(), func(string, workerman.Reason) {})
	ch := []workerman.Channel{{Name: []byte("c")}}
	var conns []*conn
	for range 1000 {
		c := &conn{out: newOutbox(1 << 40), subs: map[string]*subscription{}}
		h.subscribe(c, ch, nil)
		conns = append(conns, c)
	}
	data := workerman.Data{Bytes: []byte(groupData("g", "hello"))}
	var batch []frame
	for n := 0; b.Loop(); n++ {
		h.publish(conns[0], ch[0], &shipment{data: data})
		if n%64 == 63 {
			for _, c := range conns {
				batch, _ = c.out.take(batch[:0])
				c.out.written(len(batch))
			}
		}
	}
}

// BenchmarkBridge is a PHP program's event to its group and back to it, one at
// a time, and with many on their way.
func BenchmarkBridge(b *testing.B) {
	for _, window := range []int{1, 1000} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			e, _ := startEngine(b, nil)
			s := startServer(b, NewNode(), e, nil)
			p := subscriber(b, s.addr, GroupChannel)
			frame := frameOf(with("publish", GroupChannel, groupData("g", "hello")))
			room := make(chan struct{}, window)
			go func() {
				for range room {
					p.write(frame)
				}
			}()
			for range window {
				room <- struct{}{}
			}
			for b.Loop() {
				p.next()
				room <- struct{}{}
			}
			for range window { // what is still on its way
				p.next()
			}
			close(room)
		})
	}
}
