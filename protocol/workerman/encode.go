package workerman

import (
	"encoding/binary"
	"strconv"
)

// The slots that data stands in: the array, its type and its channel come
// before it, or the array of channels and each of these.
const (
	slotToClient = 4
	slotToServer = 4 // and one more a channel
)

// MaxLen is the most bytes that AppendFrame appends for m, not much more than
// it does append.
func (m *Message) MaxLen() int {
	const around, perChannel, perRef, ofMark = 96, 32, 20, 40
	n := around + len(m.Data.Bytes) + perRef*len(m.Data.refs)
	if m.Mark != nil {
		n += ofMark + len(m.Mark)
	}
	for i := range m.Channels {
		n += perChannel + len(m.Channels[i].Name)
	}
	return n
}

// AppendFrame appends m as a whole frame, its keys in the order in which
// Workerman's writes them. It does not allocate if dst has room for MaxLen.
func (m *Message) AppendFrame(dst []byte) []byte {
	start := len(dst)
	if m.Type.toClient() {
		dst = m.AppendTail(m.AppendHead(dst, 0))
		if m.Mark != nil {
			dst = m.appendMark(dst[:len(dst)-1])
		}
		return finish(dst, start)
	}
	dst = append(dst, 0, 0, 0, 0)
	pairs := 1
	if m.Type != TypeReserve {
		pairs++
	}
	if m.Type.HasData() {
		pairs++
	}
	if m.Mark != nil {
		pairs++
	}
	dst = appendArray(dst, pairs)
	dst = append(dst, `s:4:"type";`...)
	dst = AppendString(dst, typeNames[m.Type])
	if m.Type != TypeReserve {
		dst = append(dst, `s:8:"channels";`...)
		dst = appendArray(dst, len(m.Channels))
		for i, c := range m.Channels {
			dst = appendInt(dst, i)
			dst = appendChannel(dst, c)
		}
		dst = append(dst, '}')
	}
	if m.Type.HasData() {
		dst = append(dst, `s:4:"data";`...)
		dst = m.Data.appendAt(dst, slotToServer+len(m.Channels))
	}
	if m.Mark != nil {
		return finish(m.appendMark(dst), start)
	}
	return finish(append(dst, '}'), start)
}

// finish writes the length of the frame that begins at start.
func finish(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// appendMark appends the mark and the end of the message.
func (m *Message) appendMark(dst []byte) []byte {
	dst = AppendString(dst, MarkKey)
	dst = AppendString(dst, m.Mark)
	return append(dst, '}')
}

// AppendHead appends the beginning of an event's or queue message's frame, up to its
// data; tailBytes is the length of the AppendTail behind it. Tails are the same for
// all channels, so that one can stand behind many heads. A message with a mark has
// a pair more, and no such tail.
func (m *Message) AppendHead(dst []byte, tailBytes int) []byte {
	start := len(dst)
	pairs := 3
	if m.Mark != nil {
		pairs++
	}
	dst = appendArray(append(dst, 0, 0, 0, 0), pairs)
	dst = append(dst, `s:4:"type";`...)
	dst = AppendString(dst, typeNames[m.Type])
	dst = append(dst, `s:7:"channel";`...)
	dst = appendChannel(dst, m.Channels[0])
	dst = append(dst, `s:4:"data";`...)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start+tailBytes))
	return dst
}

// AppendTail appends the data and the end of an event's or queue message's frame.
func (m *Message) AppendTail(dst []byte) []byte {
	return append(m.Data.appendAt(dst, slotToClient), '}')
}

// appendAt appends the value so that it can stand in slot: its back references
// are moved by as much as it is.
func (d Data) appendAt(dst []byte, slot int) []byte {
	done := 0
	if slot != d.slot {
		for _, at := range d.refs {
			const tag = len("R:")
			dst = append(dst, d.Bytes[done:at+tag]...)
			s := scanner{in: d.Bytes, at: at + tag}
			n, _ := s.number(';')
			dst = strconv.AppendInt(dst, int64(n-d.slot+slot), 10)
			done = s.at - 1
		}
	}
	return append(dst, d.Bytes[done:]...)
}

// AppendString appends a serialized string.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, "s:"...)
	dst = strconv.AppendInt(dst, int64(len(s)), 10)
	dst = append(dst, `:"`...)
	dst = append(dst, s...)
	return append(dst, `";`...)
}

func appendChannel(dst []byte, c Channel) []byte {
	if !c.IsInt {
		return AppendString(dst, c.Name)
	}
	dst = append(dst, "i:"...)
	dst = append(dst, c.Name...)
	return append(dst, ';')
}

func appendArray(dst []byte, pairs int) []byte {
	dst = append(dst, "a:"...)
	dst = strconv.AppendInt(dst, int64(pairs), 10)
	return append(dst, ":{"...)
}

func appendInt(dst []byte, n int) []byte {
	dst = append(dst, "i:"...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, ';')
}
