/* Somebody else's shell works with the sandbox. */
function check(what, got, want) {
    if (JSON.stringify(got) !== JSON.stringify(want)) {
        print(what + ': got ' + JSON.stringify(got) + ', wanted ' + JSON.stringify(want));
        quit(1);
    }
    print('ok: ' + what);
}
const status = rs.status();
check('rs.status() names the set', status.set, 'rs0');
check('it has one primary', status.members.filter(m => m.stateStr === 'PRIMARY').length, 1);
check('rs.conf() has three members', rs.conf().members.length, 3);
check('db.hello() is the primary', db.hello().isWritablePrimary, true);
const shell = db.getSiblingDB('peers');
check('one is inserted', shell.fromShell.insertOne({_id: 1, a: 'x'}).acknowledged, true);
check('it is found', shell.fromShell.findOne({_id: 1}).a, 'x');
