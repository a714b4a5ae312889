// Package probe makes requests at the boundaries of what a policy says: of an
// expression the shortest strings that match it and their nearest neighbours, of
// a match each of its parts kept, lost, doubled. It knows neither meshes nor
// proxies; whether a request passes is for others to say.
package probe
