//! The key of a host, looked at: connected to by the rules of any connection, and left before the login.

use convoke_connect::connector::Connector as _;
use convoke_connect::ssh::{Native, Sight};
use convoke_connect::trail::Trail;

use super::attempt::{given_up, tell};
use super::clock::Clock;
use super::tries::Tries;
use super::{Host, Reach};
use crate::outcome::Unreachable;

/// Looks at the key that `host` shows to `native`, by its way of connecting: with a place, as often as another
/// attempt may help, within the connect limit.
///
/// Nothing of a login is sent to the host itself; hops on the way are logged in to.
///
/// # Errors
/// The host was not reached, or the native client cannot reach it.
pub async fn look(host: &Host, native: &Native, reach: &Reach) -> Result<Sight, Unreachable> {
    let (endpoint, surroundings) = (host.endpoint(), &reach.surroundings);
    let route = native.route(endpoint, surroundings).await?;
    let mut tries = Tries::new(reach, route.server);
    loop {
        let place = tries.place().await;
        let clock = Clock::new(&*reach.ask, &reach.questions);
        let trail = Trail::new();
        let looking = native.look(endpoint, surroundings, &clock, &trail);
        let looked = clock.within(tries.left, looking).await;
        tell(&trail);
        let failed = match looked {
            Ok(Ok(sight)) => return Ok(sight),
            Ok(Err(failed)) => failed,
            Err(_) => return Err(given_up(reach.connect_limit, &trail)),
        };
        drop(place);
        if !tries
            .go_on(clock.passed(), failed.again, &failed.text)
            .await
        {
            return Err(failed.into());
        }
    }
}
