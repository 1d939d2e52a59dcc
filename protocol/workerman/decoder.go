package workerman

import "strconv"

// Limits of what a Decoder takes.
type Limits struct {
	// MaxDepth is how many arrays may lie in each other, the message's own
	// included: 1 to 4096, which is where PHP ends.
	MaxDepth int
	// MaxChannels is how many channels of one message are kept: the first ones.
	MaxChannels int
}

// DefaultLimits are what a server takes from its clients.
func DefaultLimits() Limits { return Limits{MaxDepth: 512, MaxChannels: 4096} }

// Decoder reads the bodies of frames.
//
// Owner: the goroutine that reads the connection. It reuses its memory and must not be
// used concurrently.
type Decoder struct {
	limits   Limits
	scan     scanner
	channels []Channel
}

// NewDecoder returns a decoder with these limits.
func NewDecoder(limits Limits) *Decoder { return &Decoder{limits: limits} }

// keepItems is how many channels or references a Decoder keeps memory for.
const keepItems = 256

// Forget lets go of the last body, so that it is not kept until the next one
// comes. What Decode has returned is no longer valid.
func (d *Decoder) Forget() {
	d.scan.in = nil
	clear(d.channels[:cap(d.channels)])
}

// Decode reads body into m, which is overwritten. m aliases body and the
// decoder: it is valid until the next Decode and as long as body is. A body
// within reason costs no allocation.
//
// Keys may come in any order, unknown ones are skipped, the last of several
// equal ones counts, and newlines may follow: old versions end each body with
// one. Missing data is null, as it is in PHP; a message that has a channel and
// no type is an event, since the first versions sent no type. On an error m means
// nothing.
func (d *Decoder) Decode(body []byte, m *Message) *Error {
	*m = Message{}
	s := &d.scan
	*s = scanner{in: body, open: s.open[:0], refs: s.refs[:0], maxDepth: d.limits.MaxDepth}
	if cap(s.open) > keepItems || cap(s.refs) > keepItems {
		s.open, s.refs = nil, nil
	}
	d.channels = d.channels[:0]
	if cap(d.channels) > keepItems {
		d.channels = nil
	}

	root, err := s.value()
	if err != nil {
		return err
	}
	if root.Kind != KindArray {
		return errType
	}
	if err := s.enter(0); err != nil {
		return err
	}
	var f fields
	for range root.count {
		if err := d.field(m, &f); err != nil {
			return err
		}
	}
	if err := s.leave(); err != nil {
		return err
	}
	for s.byte('\n') {
	}
	if s.at < len(body) {
		return errSyntax
	}
	return d.settle(m, &f)
}

// fields is what a body has, before its type says what of it counts.
type fields struct {
	typed   bool // a type is there; Message.Type is 0 if it is unknown
	list    bool
	channel Channel
	single  bool
	data    Data
}

// field reads one pair of the outermost array.
func (d *Decoder) field(m *Message, f *fields) *Error {
	key, err := d.scan.key()
	if err != nil {
		return err
	}
	if key.Kind == KindString {
		switch string(key.Text) {
		case "type":
			f.typed = true
			return d.readType(m)
		case "channels":
			f.list = true
			return d.readChannels(m)
		case "channel":
			f.single = true
			f.channel, err = d.readChannel()
			return err
		case "data":
			f.data, err = d.readData()
			return err
		case MarkKey:
			v, err := d.scan.skip()
			m.Mark = nil
			if v.Kind == KindString {
				m.Mark = v.Text
			}
			return err
		}
	}
	_, err = d.scan.skip()
	return err
}

func (d *Decoder) readType(m *Message) *Error {
	v, err := d.scan.value()
	if err != nil {
		return err
	}
	if v.Kind != KindString {
		return errType
	}
	m.Type = 0
	for t, name := range typeNames {
		if t > 0 && string(v.Text) == name {
			m.Type = Type(t)
		}
	}
	return nil
}

// readChannels keeps the first MaxChannels and counts the others.
func (d *Decoder) readChannels(m *Message) *Error {
	s := &d.scan
	list, err := s.value()
	if err != nil {
		return err
	}
	if list.Kind != KindArray {
		return errChannels
	}
	if err := s.enter(0); err != nil {
		return err
	}
	d.channels = d.channels[:0]
	for range list.count {
		if _, err := s.key(); err != nil {
			return err
		}
		c, err := d.readChannel()
		if err != nil {
			return err
		}
		if len(d.channels) < d.limits.MaxChannels {
			d.channels = append(d.channels, c)
		}
	}
	m.Beyond = list.count - len(d.channels)
	return s.leave()
}

func (d *Decoder) readChannel() (Channel, *Error) {
	v, err := d.scan.value()
	if err != nil {
		return Channel{}, err
	}
	switch v.Kind {
	case KindString:
		return Channel{Name: v.Text}, nil
	case KindInt:
		return Channel{Name: shortest(v.Text), IsInt: true}, nil
	default:
		return Channel{}, errChannels
	}
}

// shortest is an integer as PHP writes it: without a plus, leading zeros or
// minus zero. It is digits itself, but for what PHP never wrote.
func shortest(digits []byte) []byte {
	first := digits[0]
	if first != '+' && first != '0' && (first != '-' || digits[1] != '0') || len(digits) == 1 {
		return digits
	}
	n, _ := strconv.ParseInt(string(digits), 10, 64) // its size was checked
	return strconv.AppendInt(nil, n, 10)
}

// readData reads a value that is passed on. Its back references may lead
// nowhere but into itself: what is around it here will not be around it there.
func (d *Decoder) readData() (Data, *Error) {
	s := &d.scan
	data := Data{slot: s.slots + 1}
	start := s.at
	s.refs, s.keepRefs, s.floor = s.refs[:0], true, data.slot
	if _, err := s.skip(); err != nil {
		return Data{}, err
	}
	s.keepRefs, s.floor = false, 0
	data.Bytes = s.in[start:s.at:s.at]
	for i := range s.refs {
		s.refs[i] -= start
	}
	data.refs = s.refs
	return data, nil
}

// null is what missing data is.
var null = []byte("N;")

// settle checks that all is there that the type wants.
func (d *Decoder) settle(m *Message, f *fields) *Error {
	if !f.typed && f.single {
		m.Type = TypeEvent
	}
	switch {
	case m.Type == 0:
		return errType
	case m.Type == TypeReserve:
		return nil
	case m.Type.toClient():
		if !f.single {
			return errChannels
		}
		d.channels = append(d.channels[:0], f.channel)
	case !f.list:
		return errChannels
	}
	m.Channels = d.channels
	if m.Type.HasData() {
		m.Data = f.data
		if m.Data.Bytes == nil {
			m.Data.Bytes = null
		}
	}
	return nil
}
