package workerman

import "testing"

// TestAllocs: what a server does for each message costs no allocation.
func TestAllocs(t *testing.T) {
	d := NewDecoder(DefaultLimits())
	body := []byte(publishOf(`a:3:{s:8:"group_id";s:3:"123";s:7:"message";s:5:"hello";s:1:"x";a:1:{i:0;R:7;}}`))
	in := append(frameOf(string(body)), frameOf(string(body))...)
	buf := make([]byte, 0, 1024)
	var m Message
	check := func(name string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(200, f); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	check("split", func() {
		var s Splitter
		for rest := in; len(rest) > 0; {
			var ok bool
			if _, rest, ok, _ = s.Next(rest, MaxFrameBytes); !ok {
				t.Fatal("no frame")
			}
		}
	})
	check("decode and encode", func() {
		if err := d.Decode(body, &m); err != nil {
			t.Fatal(err)
		}
		event := Message{Type: TypeEvent, Channels: m.Channels[:1], Data: m.Data}
		if n := event.MaxLen(); n > cap(buf) {
			t.Fatal(n)
		}
		buf = event.AppendFrame(buf[:0])
	})
	bad := []byte(publishOf(`O:8:"stdClass":0:{}`))
	check("refuse", func() {
		if d.Decode(bad, &m) == nil {
			t.Fatal("accepted")
		}
	})
	flat := Data{Bytes: AppendGroupMessage(nil, "123", "hello", []byte("text "+nodeA))}
	check("group message", func() {
		g, ok := flat.GroupMessage()
		mark, isMark := ParseMark(g.Mark)
		if !ok || !isMark || !mark.Has(nodeA) {
			t.Fatal("no group message")
		}
		buf = AppendGroupMessage(buf[:0], g.Group.Text, g.Message.Text, g.Mark)
	})
}

func BenchmarkDecodePublish(b *testing.B) {
	d := NewDecoder(DefaultLimits())
	body := []byte(publishOf(`a:2:{s:8:"group_id";s:3:"123";s:7:"message";s:5:"hello";}`))
	var m Message
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := d.Decode(body, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNaive(b *testing.B) {
	body := []byte(publishOf(`a:2:{s:8:"group_id";s:3:"123";s:7:"message";s:5:"hello";}`))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		naiveMessage(body)
	}
}
