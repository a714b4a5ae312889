package live

// Touched is what the catalog tells of a namespace in which something changed.
func (l *Live) Touched(ns string) { l.touched(ns) }
