package protocol

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func BenchmarkParseHeader(b *testing.B) {
	for _, n := range []int{80, 1000, 70000} {
		in := clientFrame(0x81, make([]byte, n), testMask)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				if _, n, _ := parseHeader(in); n == 0 {
					b.Fatal("no header")
				}
			}
		})
	}
	// The naive version, for comparison.
	in := clientFrame(0x81, make([]byte, 80), testMask)
	b.Run("gobwas", func(b *testing.B) {
		r := bytes.NewReader(in)
		for b.Loop() {
			r.Reset(in)
			if _, err := ws.ReadHeader(r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	lim := Limits{1 << 20, 16}
	for _, n := range []int{80, 1000, 64 << 10} {
		in := clientFrame(0x81, bytes.Repeat([]byte{'a'}, n), [4]byte{})
		for name, cut := range map[string]int{"whole": len(in), "split": len(in) / 2} {
			b.Run(strconv.Itoa(n)+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(n))
				b.ReportAllocs()
				var d Decoder
				for b.Loop() {
					_, _, ok, _ := d.Next(in[:cut], lim)
					if cut < len(in) {
						_, _, ok, _ = d.Next(in[cut:], lim)
					}
					if !ok {
						b.Fatal("no event")
					}
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	p := NewCommandParser(256)
	for name, s := range commandSamples {
		payload := []byte(s)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var c Command
			for b.Loop() {
				if err := p.Parse(payload, false, &c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, n := range []int{4, 8, 16} {
		payload := []byte(`{"cmd":"send_to_group","group_id":"123","message":"` + strings.Repeat(`{\"abcdefg\":1}`, n<<6) +
			`"}`)
		b.Run(strconv.Itoa(n)+" KiB of JSON in a string", func(b *testing.B) {
			b.ReportAllocs()
			var c Command
			for b.Loop() {
				if err := p.Parse(payload, false, &c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("send by encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		payload := []byte(commandSamples["send"])
		for b.Loop() {
			if decodeStandard(payload, &p.json.fields) == nil {
				b.Fatal("not decoded")
			}
		}
	})
}

func BenchmarkHandshake(b *testing.B) {
	head := []byte(upgradeHead)
	var h Handshaker
	b.ReportAllocs()
	for b.Loop() {
		if _, res := h.Handshake(head); !res.Upgraded {
			b.Fatal(res)
		}
	}
}

func BenchmarkHandshakeSplit(b *testing.B) {
	head := []byte(splitHead)
	var h Handshaker
	b.ReportAllocs()
	for b.Loop() {
		if _, res := h.Handshake(head); !res.Upgraded {
			b.Fatal(res)
		}
	}
}

func BenchmarkRequestFacts(b *testing.B) {
	var h Handshaker
	_, res := h.Handshake([]byte(factsHead))
	b.ReportAllocs()
	for b.Loop() {
		if askFacts(res.Request) == 0 {
			b.Fatal("nothing")
		}
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	for _, n := range []int{100, 64 << 10} {
		message := bytes.Repeat([]byte("Dies ist eine Nachricht "), n/24)
		dst := make([]byte, 0, 2*n+100)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				AppendMessage(dst, "123", message, true)
			}
		})
		b.Run(strconv.Itoa(n)+"/length only", func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				MessageLen("123", message, true)
			}
		})
	}
}
