package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
)

// channelMessage is a frame of Workerman's Channel protocol as PHP's client writes it: a length that counts itself, and
// an array in the form of PHP's serialize(). Without data that key is missing; without channels theirs.
func channelMessage(kind string, channels []string, data string) []byte {
	var b strings.Builder
	pairs := 1
	if channels != nil {
		pairs++
	}
	if data != "" {
		pairs++
	}
	fmt.Fprintf(&b, `a:%d:{s:4:"type";s:%d:"%s";`, pairs, len(kind), kind)
	if channels != nil {
		fmt.Fprintf(&b, `s:8:"channels";a:%d:{`, len(channels))
		for i, c := range channels {
			fmt.Fprintf(&b, `i:%d;s:%d:"%s";`, i, len(c), c)
		}
		b.WriteString("}")
	}
	if data != "" {
		fmt.Fprintf(&b, `s:4:"data";s:%d:"%s";`, len(data), data)
	}
	b.WriteString("}")
	return channelFrame(b.String())
}

const channelHead = 4

func channelFrame(body string) []byte {
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, channelHead+len(body)), uint32(channelHead+len(body)))
	return append(frame, body...)
}

// maxChannelFrame is the server's default limit.
const maxChannelFrame = 10 << 20

func readChannelFrame(conn net.Conn) ([]byte, error) {
	var head [channelHead]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < channelHead || n > maxChannelFrame+1024 {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	body := make([]byte, n-channelHead)
	_, err := io.ReadFull(conn, body)
	return body, err
}
