package workerman

// GroupMessage is what data on the channel send_to_group holds: an array with
// a group and a message for it, and whatever else its sender put there.
type GroupMessage struct {
	// Group and Message are the values; their Kind is 0 if they are missing.
	Group, Message Value
	// Mark is the string under MarkKey, nil if there is none.
	Mark []byte

	data           Data
	message        []byte // the value as it was written
	pairs          int    // in the array
	markAt, markTo int    // the pair of MarkKey; equal without one
	first          int    // where the first pair begins
}

// GroupMessage reads d as such. Its result aliases d; ok is false if d is no array.
func (d Data) GroupMessage() (g GroupMessage, ok bool) {
	// Not one that a Decoder refused is taken: depth was checked by it, and for
	// data that did not come from one nothing is kept a level but an int.
	s := scanner{in: d.Bytes, slots: max(d.slot-1, 0), floor: d.slot, maxDepth: len(d.Bytes)}
	root, err := s.value()
	if err != nil || root.Kind != KindArray {
		return GroupMessage{}, false
	}
	g = GroupMessage{data: d, pairs: root.count, first: s.at}
	for range root.count {
		start := s.at
		key, err := s.key()
		if err != nil {
			return GroupMessage{}, false
		}
		value := s.at
		v, err := s.skip()
		if err != nil {
			return GroupMessage{}, false
		}
		if key.Kind != KindString {
			continue
		}
		switch string(key.Text) {
		case "group_id":
			g.Group = v
		case "message":
			g.Message, g.message = v, d.Bytes[value:s.at:s.at]
		case MarkKey:
			g.Mark = nil
			if v.Kind == KindString {
				g.Mark = v.Text
			}
			g.markAt, g.markTo = start, s.at
		}
	}
	return g, s.at+1 == len(d.Bytes) && d.Bytes[s.at] == '}'
}

// WithMark returns a copy of the data it was read from, with mark under MarkKey
// in place of what was there. ok is false if that cannot be done: if back
// references would lead elsewhere.
func (g *GroupMessage) WithMark(mark []byte) (d Data, ok bool) {
	pairs := g.pairs
	if g.markTo == g.markAt {
		pairs++
	} else if len(g.data.refs) > 0 {
		return Data{}, false
	}
	from := g.data.Bytes
	end := len(from) - 1 // its closing brace
	dst := make([]byte, 0, len(from)+len(mark)+40)
	dst = appendArray(dst, pairs)
	shift := len(dst) - g.first
	if g.markTo > g.markAt {
		dst = append(dst, from[g.first:g.markAt]...)
		dst = append(dst, from[g.markTo:end]...)
	} else {
		dst = append(dst, from[g.first:end]...)
	}
	dst = AppendString(dst, MarkKey)
	dst = AppendString(dst, mark)
	dst = append(dst, '}')
	d = Data{Bytes: dst, slot: g.data.slot}
	for _, at := range g.data.refs {
		d.refs = append(d.refs, at+shift)
	}
	return d, true
}

// AppendGroupMessage appends data for the channel send_to_group, with a mark
// if that is not nil.
func AppendGroupMessage[G, M string | []byte](dst []byte, group G, message M, mark []byte) []byte {
	if mark == nil {
		dst = appendArray(dst, 2)
	} else {
		dst = appendArray(dst, 3)
	}
	dst = append(dst, `s:8:"group_id";`...)
	dst = AppendString(dst, group)
	dst = append(dst, `s:7:"message";`...)
	dst = AppendString(dst, message)
	if mark != nil {
		dst = AppendString(dst, MarkKey)
		dst = AppendString(dst, mark)
	}
	return append(dst, '}')
}
