package metrics

import (
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"groupcast/loop"
)

// collector turns what the sources say into metrics, all of one scrape from one
// snapshot of each.
type collector struct {
	sources  []source
	families []*family
	descs    map[*family]*prometheus.Desc
}

// source is who is asked for one struct.
type source struct {
	table table
	ask   func() reflect.Value // the zero Value where there is none
}

func newCollector(sources Sources) (*collector, error) {
	var r reader
	c := &collector{sources: sources.list(&r), descs: make(map[*family]*prometheus.Desc)}
	for _, f := range r.families {
		c.descs[f] = prometheus.NewDesc(f.name, f.help, f.labels, nil)
	}
	c.families = r.families
	return c, r.check()
}

// from makes a source of a function that answers with a struct; nil is none.
func from[T any](r *reader, ask func() *T) source {
	return source{r.table(reflect.TypeFor[T](), nil), func() reflect.Value {
		if ask == nil {
			return reflect.Value{}
		}
		return reflect.ValueOf(ask()).Elem()
	}}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range c.descs {
		ch <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := scrape{now: time.Now(), series: make(map[string]*series)}
	for _, source := range c.sources {
		if v := source.ask(); v.IsValid() {
			source.table.walk(v, nil, s.tell)
		}
	}
	for _, one := range s.series {
		ch <- one.metric(c.descs[one.family])
	}
}

// scrape is one answer in the making. Figures with the same name and labels are one
// series: two of them would make the whole scrape invalid.
type scrape struct {
	now    time.Time
	series map[string]*series
}

// series is what is told under one name with one set of labels.
type series struct {
	*row

	labels    []string // values, in the family's order
	value     float64
	histogram loop.Histogram
}

// tell adds a figure to the series that it belongs to.
func (s *scrape) tell(figure reflect.Value, rows []row, around labels) {
	for i := range rows {
		r := &rows[i]
		switch v := figure.Addr().Interface().(type) {
		case counts:
			for label, n := range v.All() {
				if r.only == "" || r.only == label {
					s.add(r, around, label, float64(n))
				}
			}
		case *loop.Histogram:
			if one := s.at(r, around, ""); one != nil {
				one.histogram.Add(v)
			}
		case *time.Time:
			if !v.IsZero() {
				s.add(r, around, "", max(0, s.now.Sub(*v).Seconds()))
			}
		default:
			s.add(r, around, "", number(figure)*r.unit)
		}
	}
}

func (s *scrape) add(r *row, around labels, by string, value float64) {
	one := s.at(r, around, by)
	switch {
	case one == nil:
	case r.max:
		one.value = max(one.value, value)
	default:
		one.value += value
	}
}

// at finds the series for a row, or makes it; nil if a label has no value, in an
// element that stands for none.
func (s *scrape) at(r *row, around labels, by string) *series {
	values := make([]string, len(r.family.labels))
	for i, label := range r.family.labels {
		value, ok := r.fixed[label]
		if !ok {
			value, ok = around[label]
		}
		if label == r.by {
			value, ok = by, true
		}
		if !ok {
			return nil
		}
		values[i] = value
	}
	key := r.family.name + "\x00" + strings.Join(values, "\x00")
	if s.series[key] == nil {
		s.series[key] = &series{row: r, labels: values}
	}
	return s.series[key]
}

// number is a figure that is one number.
func number(v reflect.Value) float64 {
	switch {
	case v.Type() == atomicType:
		return float64(v.Addr().Interface().(*atomic.Uint64).Load())
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	case v.Bool():
		return 1
	}
	return 0
}

func (s *series) metric(desc *prometheus.Desc) prometheus.Metric {
	switch s.family.kind {
	case counter:
		return prometheus.MustNewConstMetric(desc, prometheus.CounterValue, s.value, s.labels...)
	case gauge:
		return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, s.value, s.labels...)
	}
	// A bucket for each power of two. Time is cut off to its unit: it was less than
	// the power. Things are whole: they are up to one less.
	buckets := make(map[float64]uint64, s.highest-s.lowest+1)
	for exponent := s.lowest; exponent <= s.highest; exponent++ {
		bound := uint64(1) << exponent
		if s.whole {
			bound--
		}
		buckets[float64(bound)*s.unit] = s.histogram.Below(exponent)
	}
	h := &s.histogram
	return prometheus.MustNewConstHistogram(desc, h.Count, float64(h.Sum)*s.unit, buckets, s.labels...)
}
