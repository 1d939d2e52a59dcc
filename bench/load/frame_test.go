package main

import (
	"bytes"
	"net"
	"testing"

	"github.com/gobwas/ws"
)

// serverFrame is an unmasked frame as a server sends it, written by another implementation.
func serverFrame(t testing.TB, op ws.OpCode, body []byte) []byte {
	t.Helper()
	b, err := ws.CompileFrame(ws.NewFrame(op, true, body))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNextFrameCutsFramesOfEveryLength(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 128, 65535, 65536, 70000} {
		body := bytes.Repeat([]byte{'x'}, n)
		wire := append(serverFrame(t, ws.OpText, body), "rest"...)
		f, length := nextFrame(wire, 1<<20)
		if length != len(wire)-4 || f.head != finText || !bytes.Equal(f.body, body) {
			t.Errorf("%d bytes: length %d, head %#x", n, length, f.head)
		}
		for cut := range min(len(wire)-4, 300) { // every beginning is too short
			if _, length := nextFrame(wire[:cut], 1<<20); length != 0 {
				t.Errorf("%d bytes: the first %d gave %d", n, cut, length)
			}
		}
	}
}

func TestNextFrameRefusesWhatNoServerSends(t *testing.T) {
	for name, wire := range map[string][]byte{
		"masked":      {0x81, 0x85, 1, 2, 3, 4},
		"over limit":  {0x81, 126, 0xff, 0xff},
		"far over":    {0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"masked long": {0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 1},
	} {
		if _, length := nextFrame(wire, 1024); length != -1 {
			t.Errorf("%s: %d", name, length)
		}
	}
}

func TestClientFramesAreReadByAnotherImplementation(t *testing.T) {
	for _, n := range []int{0, 1, 3, 7, 8, 9, 125, 126, 1000, 65535, 65536} {
		body := bytes.Repeat([]byte("group"), n/5+1)[:n]
		client, server := net.Pipe()
		go func() {
			_, _ = client.Write(appendFrame(nil, opText, body))
			_ = client.Close()
		}()
		f, err := ws.ReadFrame(server) //nolint:staticcheck // a trusted peer, a small frame
		if err != nil || !f.Header.Masked {
			t.Fatalf("%d bytes: %+v, %v", n, f.Header, err)
		}
		if f = ws.UnmaskFrameInPlace(f); !bytes.Equal(f.Payload, body) {
			t.Errorf("%d bytes: the body differs", n)
		}
	}
}

func FuzzNextFrame(f *testing.F) {
	f.Add(serverFrame(f, ws.OpText, []byte("hello")), 3)
	f.Add([]byte{0x81, 126, 0, 200}, 1)
	f.Fuzz(func(t *testing.T, wire []byte, split int) {
		got, length := nextFrame(wire, 1<<16)
		if length > len(wire) || length > 0 && len(got.body) > length-2 {
			t.Fatalf("length %d of %d, body %d", length, len(wire), len(got.body))
		}
		if split < 0 || split > len(wire) {
			return
		}
		// Seen in part, a frame is either not there yet or the same.
		if part, n := nextFrame(wire[:split], 1<<16); n > 0 && (n != length || !bytes.Equal(part.body, got.body)) {
			t.Fatalf("split at %d: %d, whole %d", split, n, length)
		}
	})
}
