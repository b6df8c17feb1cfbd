"""App users who connect while hosts and the database are struck: by the code that the app gets from
the deep link, and presents to exchange-code."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from app import User, state_of
from hosts import attempt
from sandbox import process

FIRST, MEANWHILE, NEVER = "first", "meanwhile", "never"     # when the callback comes
USERS = 10000       # amoCRM users from this one on are those of app users


@dataclass
class Claim:
    """An app user, with an amoCRM user of their own."""
    load: object
    amocrm_user: int
    chance: object

    def __post_init__(self):
        self.name = f"app user {self.amocrm_user}"
        self._kills = self.load.kills
        self._lost = []     # requests with the code whose program was killed

    def make(self):
        """Returns when the claim has been answered, and another's claim of the same code too."""
        amocrm = self.load.amocrm
        amocrm.add_user(self.amocrm_user)
        state = self.chance.choice([None, self._until_answered(self._state)])
        params = amocrm.approve(user=self.amocrm_user, state=state)
        callback = self.chance.choice([FIRST, MEANWHILE, NEVER])
        stored = callback == FIRST and self._call_back(params)
        with ThreadPoolExecutor(1) as pool:
            shown = pool.submit(self._call_back, params) if callback == MEANWHILE else None
            answer = process.wait_until(lambda: self._claim(params, stored), "the claim")
            if shown:
                shown.result()
        if answer.status == 200:
            self.load.connected.add(self.amocrm_user)
            self.load.claimed[self.amocrm_user] = self.name
            self._is_refused_to_another(params)
        elif not self._may_be_refused(answer, stored):
            raise AssertionError(f"the claim of {self.name} (callback {callback}, {stored}) is "
                                 f"answered by {answer.status} {answer.text}")

    def _call_back(self, params):
        """Whether it has said that the code is stored."""
        error = process.wait_until(lambda: self.load.present(params, self._lost, self.chance),
                                   "the callback")
        if error == "none":
            self.load.connected.add(self.amocrm_user)
        elif self._kills == self.load.kills:
            raise AssertionError(f"the callback of {self.name} is answered by {error}")
        return error == "none"

    def _claim(self, params, stored):
        """The answer; None: to be repeated, also after 503, unless that may be final as in
        Load.present."""
        answer = attempt(lambda: self._exchange(self.name, params))
        if answer is None:
            self._lost.append(params)
            return None
        return answer if answer.status != 503 or self._lost and not stored else None

    def _may_be_refused(self, answer, stored):
        """amoCRM refuses a code if the program was killed that had exchanged it.  If the callback
        has stored it, what may be killed is a program that refreshes the connection."""
        refused = (answer.status == 400 and answer.json["error"] == "auth_failed"
                   or answer.status == 503)
        killed = self._kills != self.load.kills
        return refused and killed and (not stored or self.amocrm_user in self.load.in_flight)

    def _is_refused_to_another(self, params):
        answer = self._until_answered(self._exchange, f"not {self.name}",
                                      {**params, "state": "not ours"})
        if answer.status != 409:
            raise AssertionError(f"the code of {self.name} is answered to another by "
                                 f"{answer.status} {answer.text}")

    def _state(self):
        answer = self._user(self.name).status()
        return answer if answer.status != 200 else state_of(answer.json["data"]["authorizeUrl"])

    def _exchange(self, name, params):
        return self._user(name).exchange(params)

    def _user(self, name):
        return User(self.chance.choice(self.load.sites), name)

    def _until_answered(self, request, *arguments):
        """What another request returns, after those that were lost, or answered by 503."""
        def final():
            answer = attempt(lambda: request(*arguments))
            return None if getattr(answer, "status", None) == 503 else answer
        return process.wait_until(final, "an answer to the app")
