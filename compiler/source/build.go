package source

func (l *loader) build(p *place, rel, namespace string) error { return nil }
