package diag

// identityCodes are MSH3xxx.
var identityCodes = []Entry{}
